"""Tells what a push would send, what a pull would bring, and where both sides changed."""

from typing import Literal

from agentic.directory.comparing import Comparison, Remote, compare
from agentic.directory.outgoing import conflict
from agentic.directory.pulling.finishing import finish
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, State
from common.files.archives import Conflict
from common.models import Lenient

Kind = Literal["new", "changed", "mode", "deleted"]


class Change(Lenient):
    """A path that one side has changed; `size` in bytes of what is there now, null for nothing.

    `mode`: only the right to execute is another.
    """

    path: str
    kind: Kind
    size: int | None
    is_executable: bool


class Status(Lenient):
    """Where a directory and its workspace differ. All lists are sorted by path."""

    to_push: list[Change]
    to_pull: list[Change]
    conflicts: list[Conflict]
    skipped: list[str]
    """Links, FIFOs, devices here, which never go."""
    same: int
    """Files that both have alike."""
    has_workspace: bool
    notes: list[str]

    @property
    def is_clean(self) -> bool:
        """Tell whether neither push nor pull would do anything."""
        return not (self.to_push or self.to_pull or self.conflicts)


async def status(client: Remote, session_id: str, root: Root, state: State) -> Status:
    """Compare a directory with its workspace.

    Nothing is changed on either side, but that a pull that was interrupted is finished first.
    """
    await finish(root, state)
    return status_of(await compare(client, session_id, root, state), state.notes)


def status_of(comparison: Comparison, notes: list[str]) -> Status:
    """Return what a comparison says, for a person or a script."""
    sides = comparison.sides
    here, there = comparison.here.get, comparison.there
    base = comparison.base.get
    return Status(
        to_push=[_change(p, here(p), base(p)) for p, side in sides.items() if side == "here"],
        to_pull=[_change(p, there(p), base(p)) for p, side in sides.items() if side == "there"],
        conflicts=[conflict(comparison, p) for p, side in sides.items() if side == "both"],
        skipped=comparison.scan.skipped,
        same=sum(side == "same" and here(p) is not None for p, side in sides.items()),
        has_workspace=comparison.generation is not None,
        notes=notes,
    )


def _change(path: str, now: LocalFile | None, before: LocalFile | None) -> Change:
    return Change(
        path=path,
        kind=_kind(now, before),
        size=None if now is None else now.size,
        is_executable=now is not None and now.is_executable,
    )


def _kind(now: LocalFile | None, before: LocalFile | None) -> Kind:
    if now is None:
        return "deleted"
    if before is None:
        return "new"
    return "mode" if now.sha256 == before.sha256 else "changed"
