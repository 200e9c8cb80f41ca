"""Stages all that an archive changes: what goes, what makes room, and each file in its place."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.files.paths import show_path
from execution_environment.archives.hashing import Found
from execution_environment.archives.holding import Holdings
from execution_environment.archives.manifest import Entry, Manifest
from execution_environment.archives.permitting import require_changeable
from execution_environment.archives.planning import Plan, Planner
from execution_environment.archives.receiving import Contents
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.descriptors import PERMISSIONS, identity
from execution_environment.workspace.receipts import (
    FILE_MODE,
    receipt_of_file,
    receipt_of_removal,
)
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.streams import IncomingFile
from execution_environment.workspace.workspace import Workspace

_READ, _RUN = 0o444, 0o111
_OWNER_RUNS = 0o100


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that is put in its place, and what was staged for it."""

    entry: Entry
    incoming: IncomingFile


class Placing:
    """An archive's operation: done once, under the workspace's lock."""

    def __init__(
        self,
        manifest: Manifest,
        contents: Contents,
        survey: Callable[[Workspace], Survey],
        *,
        force: bool,
    ) -> None:
        self._manifest = manifest
        self._contents = contents
        self._survey = survey
        self._force = force
        self.placed: list[Placed] = []
        """What was staged, in the order in which it comes."""

    def __call__(self, workspace: Workspace) -> dict[str, Any]:
        """Stage all of it; raise `changed_elsewhere` or `content_missing` before anything is."""
        survey = self._survey(workspace)
        plan = Planner(survey, workspace.limits, force=self._force).plan(self._manifest)
        plan.require_no_conflict()
        require_changeable(workspace.files.root, plan.directories())
        workspace.change.meter.reset()
        _make_room(workspace, plan)
        uses = Counter(_content(entry) for entry, _ in plan.placed)
        holdings = Holdings(workspace, self._contents.files, survey, uses)
        holdings.complete(self._manifest.contents, plan)
        _take_out(workspace, plan)
        for entry, replaced in plan.placed:
            workspace.limits.check_deadline()
            incoming = holdings.take(_content(entry))
            _put(workspace, entry, replaced, incoming)
            self.placed.append(Placed(entry, incoming))
        return _counts(plan)


def _content(entry: Entry) -> bytes:
    return entry.sha256 or b""


def _make_room(workspace: Workspace, plan: Plan) -> None:
    """Count what goes, so that there is room for what comes."""
    meter = workspace.change.meter
    for found in plan.deleted.values():
        if not plan.is_gone_with_a_directory(found.parts):
            meter.add(-found.status.st_size, -1)
    for emptied in plan.emptied.values():
        meter.add(-emptied.usage.size, -emptied.usage.entries)
    for _, replaced in plan.placed:
        if replaced is not None:
            meter.add(-replaced.status.st_size)


def _take_out(workspace: Workspace, plan: Plan) -> None:
    """Stage what goes: a directory that makes room for a file goes as a whole."""
    change = workspace.change
    for found in plan.deleted.values():
        workspace.limits.check_deadline()
        if not plan.is_gone_with_a_directory(found.parts):
            change.take(found.parts, identity(found.status), None, None)
        change.add_receipts(receipt_of_removal(show_path(found.parts), found.sha256))
    for emptied in plan.emptied.values():
        change.take(emptied.found.parts, identity(emptied.found.status), None, None)


def _put(
    workspace: Workspace, entry: Entry, replaced: Found | None, incoming: IncomingFile
) -> None:
    before = _before(replaced)
    parts = workspace.change.plan(entry.shown)
    mode = _mode(entry, before)
    with workspace.files.root.errors_of(parts):
        goes = None if before is None else before.identity
        workspace.change.put_received(parts, incoming, mode, goes)
    workspace.change.add_receipts(
        receipt_of_file(entry.shown, incoming.sha256, incoming.size, mode, before)
    )


def _before(replaced: Found | None) -> Snapshot | None:
    """Return the state of the file that is replaced, None for none."""
    if replaced is None or replaced.sha256 is None:
        return None
    status = replaced.status
    mode = status.st_mode & PERMISSIONS
    return Snapshot(identity(status), mode, status.st_size, replaced.sha256, None)


def _mode(entry: Entry, before: Snapshot | None) -> int:
    """Return the mode of a new file, or that of an old one with the right to execute put right."""
    old = FILE_MODE if before is None else before.mode
    if not entry.is_executable:
        return old & ~_RUN
    return old | (old & _READ) >> 2 | _OWNER_RUNS


def _counts(plan: Plan) -> dict[str, Any]:
    replaced = [found for _, found in plan.placed if found is not None]
    return {
        "created": len(plan.placed) - len(replaced),
        "replaced": len(replaced),
        "deleted": len(plan.deleted),
        "unchanged": plan.unchanged,
        "bytes_written": sum(entry.size for entry, _ in plan.placed),
    }
