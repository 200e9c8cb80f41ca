"""Decides what a push sends, from what changed here and in the workspace."""

from dataclasses import dataclass

from agentic.directory.archives import manifest_file
from agentic.directory.comparing import Comparison
from agentic.directory.faults import refusal
from agentic.directory.state import LocalFile
from common.errors import AgenticError
from common.files.archives import MOST_NAMED, Conflict, ManifestDeletion, ManifestEntry

HINT = "Run 'agentic pull' first; or push with --force, which overwrites the workspace's files."
_NAMED = 5
"""Paths that an error's text names; its context has more."""


@dataclass(frozen=True)
class Plan:
    """What is to be sent: by path, null for what is to go; and where the contents lie."""

    comparison: Comparison
    changes: dict[str, LocalFile | None]
    contents: dict[str, str]
    """By hash: the path here that has it, for what the workspace does not hold."""
    is_reset: bool = False

    def entries(self) -> list[ManifestEntry]:
        """Return the manifest: each path with what it replaces."""
        return [self._entry(path, file) for path, file in self.changes.items()]

    def _entry(self, path: str, file: LocalFile | None) -> ManifestEntry:
        before = self.comparison.there(path) if self.is_reset else self.comparison.base.get(path)
        if file is not None:
            return manifest_file(path, file, before)
        expected = None if before is None else before.sha256
        return ManifestDeletion.model_validate(
            {"path": path, "deleted": True, "expected_sha256": expected}
        )


def planned(comparison: Comparison, *, force: bool = False, reset: bool = False) -> Plan:
    """Return what a push would send; raise `changed_elsewhere` for conflicts, unless forced.

    With `reset` what the workspace changed is undone as well.
    """
    sides = comparison.sides
    conflicts = [path for path, side in sides.items() if side == "both"]
    if conflicts and not (force or reset):
        raise _refused(comparison, conflicts)
    sent = ("here", "both", "there") if reset else ("here", "both")
    changed = [
        path
        for path, side in sides.items()
        if side in sent and not (reset and comparison.is_special(path))
    ]
    changes = {path: comparison.here.get(path) for path in changed}
    contents = {
        file.sha256: path
        for path, file in changes.items()
        if file is not None and not comparison.differences[path].is_held
    }
    return Plan(comparison, changes, contents, is_reset=reset)


def _refused(comparison: Comparison, paths: list[str]) -> AgenticError:
    return refusal(
        "changed_elsewhere",
        f"Here and in the workspace {named(paths)} changed differently",
        hint=HINT,
        conflicts=[conflict(comparison, path).model_dump() for path in paths[:MOST_NAMED]],
        actual=len(paths),
    )


def named(paths: list[str]) -> str:
    """Return the first paths, and how many more there are."""
    more = "" if len(paths) <= _NAMED else f" and {len(paths) - _NAMED} more"
    return ", ".join(f"'{path}'" for path in paths[:_NAMED]) + more


def conflict(comparison: Comparison, path: str) -> Conflict:
    """Return both sides of a path, and what they had before."""
    base, there = comparison.base.get(path), comparison.there(path)
    difference = comparison.differences.get(path)
    return Conflict(
        path=path,
        expected_sha256=None if base is None else base.sha256,
        current_sha256=None if there is None else there.sha256,
        type=None if difference is None else difference.type,
    )
