"""What a tool that changes something is handed: the five parts of one call's workspace."""

from dataclasses import dataclass

from common.files.paths import Parts
from execution_environment.sandbox.limits import CallLimits, QuotaMeter
from execution_environment.sandbox.renames import Renamer
from execution_environment.searching.searchers import Searchers
from execution_environment.workspace.entry_mover import EntryMover
from execution_environment.workspace.file_writer import FileWriter
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.staged_change import StagedChange


@dataclass(frozen=True)
class Workspace:
    """A tool that only reads gets `reader` alone, so that its signature shows it."""

    reader: Reader
    files: FileWriter
    entries: EntryMover
    change: StagedChange
    """The only part that is ever other than it was: what the call has staged so far."""
    limits: CallLimits


def open_workspace(
    base: Parts,
    renamer: Renamer,
    searchers: Searchers,
    limits: CallLimits,
    meter: QuotaMeter,
    *,
    dry_run: bool,
    is_bulk: bool = False,
    hashes_trees: bool = False,
) -> Workspace:
    """Put together one call's view of the workspace that `base` leads to."""
    root = WorkspaceRoot(renamer.root, base)
    reader = Reader(root, limits, searchers)
    change = StagedChange(root, renamer, meter, dry_run=dry_run, is_bulk=is_bulk)
    files = FileWriter(root, change, limits)
    entries = EntryMover(root, reader, change, hashes_trees)
    return Workspace(reader, files, entries, change, limits)
