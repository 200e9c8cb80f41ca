"""Conflicts as a person reads them: which files need a decision, and what can be chosen."""

from agentic.directory.faults import refusal
from agentic.directory.pulling.planning import Choice, Kind, PullConflict
from common.files.archives import MOST_NAMED

SHOWN = 10
"""Conflicts that an error's own text names; its context has more."""
_TEXTS: dict[Kind, str] = {
    "both_changed": "changed here and in the workspace",
    "both_created": "created here and in the workspace",
    "deleted_here": "deleted here, changed in the workspace",
    "deleted_there": "changed here, deleted in the workspace",
    "in_the_way": "something else is in its place here",
    "changed_meanwhile": "changed here during the pull",
}
_IN_THE_MIDST: set[Kind] = {"changed_meanwhile"}
"""What ends a pull that has begun; every other conflict is found before."""


def require_none(conflicts: list[PullConflict], choice: Choice | None) -> None:
    """Raise `changed_elsewhere` for conflicts; its context has the first of them, by path and kind."""
    if not conflicts:
        return
    kinds = {one.kind for one in conflicts}
    named = [f"{one.path}: {_TEXTS[one.kind]}" for one in conflicts[:SHOWN]]
    more = [f"and {len(conflicts) - SHOWN} more"] if len(conflicts) > SHOWN else []
    raise refusal(
        "changed_elsewhere",
        "\n".join(["Somebody has to decide about these files:", *named, *more]),
        hint=_hint(kinds, choice),
        outcome="unknown" if kinds == _IN_THE_MIDST else None,
        conflicts=[{"path": one.path, "kind": one.kind} for one in conflicts[:MOST_NAMED]],
        actual=len(conflicts),
    )


def _hint(kinds: set[Kind], choice: Choice | None) -> str:
    if kinds == _IN_THE_MIDST:
        return "What came before it is here. Pull again: it will be asked about."
    if choice == "theirs" or kinds == {"in_the_way"}:
        return "Nothing was changed here. Move what is in the way, or keep it: agentic pull --ours."
    if choice == "merge":
        return "Nothing was changed here. These cannot be merged: agentic pull --theirs, or --ours."
    return "Nothing was changed here. agentic pull --theirs, --ours or --merge decides."
