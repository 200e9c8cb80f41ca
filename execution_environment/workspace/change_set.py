"""What one call will do to the disk: its renames, what they take for granted, its receipts."""

import errno
import os
from dataclasses import dataclass, field
from typing import Literal

from common.errors import ToolError
from common.files.paths import Parts, show_path
from common.tools import Receipt
from execution_environment.sandbox.descriptors import ANY, Identity, identity, status_at
from execution_environment.sandbox.renames import Location, Rename, Renamer
from execution_environment.workspace.receipts import receipt_of_directory

ELSEWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
"""The directory that a change was made for is gone, or something else has its name."""
State = Literal["staged", "committed", "applied"]
"""How far a change has come. Once its intent is written, others may need what is staged; all in place,
what it displaced is left over. It is `staged` again when the intent was taken back."""


@dataclass(frozen=True)
class Precondition:
    """What a location must still hold when the change is put there: `None` for nothing."""

    location: Location
    expected: Identity | None

    def holds(self, renamer: Renamer) -> bool:
        """Tell whether the location holds what it held when the change was made."""
        try:
            with renamer.opened(self.location, ANY | os.O_DIRECTORY) as directory:
                status = status_at(directory, self.location.leaf)
        except OSError as error:
            if error.errno not in ELSEWHERE:
                raise
            return False
        return (None if status is None else identity(status)) == self.expected


class PlannedPaths:
    """The paths that one call changes: each once, however it is written.

    What is noted here is compared as components: `f` and `./f` are one path.
    """

    def __init__(self) -> None:
        self._named: set[Parts] = set()
        self._above: set[Parts] = set()
        self._made: set[Parts] = set()

    def add(self, parts: Parts) -> None:
        """Note a path; raise when it, or something it is in or that is in it, is noted already.

        The second change would be made from what is there now, and undo the first.
        """
        above = {parts[:depth] for depth in range(len(parts))}
        if parts in self._named or parts in self._above or above & self._named:
            raise ToolError(
                "invalid_arguments",
                f"One call cannot change '{show_path(parts)}' twice",
                path=show_path(parts),
                hint="Put all changes of one place together, or make several calls.",
            )
        self._above |= above
        self.name(parts)

    def name(self, parts: Parts) -> None:
        """Note a path that the call names, of which it is known that it is named once."""
        self._named.add(parts)

    def make(self, path: Parts, existing: int) -> int:
        """Note what is made of a path that exists to some depth; return how much was not noted.

        The depth is below zero where even the workspace does not exist; that is not counted.
        """
        new = {path[:depth] for depth in range(max(existing, 0) + 1, len(path) + 1)} - self._made
        self._made |= new
        return len(new)

    def receipts(self) -> list[Receipt]:
        """Return those of the directories that are made and that the call does not name itself."""
        made = sorted(self._made - self._named)
        return [receipt_of_directory(show_path(parts)) for parts in made]


@dataclass
class ChangeSet:
    """What the committer checks, writes down and carries out."""

    renames: list[Rename] = field(default_factory=list)
    preconditions: list[Precondition] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    trees: dict[Location, bytes] = field(default_factory=dict)
    """The staged entry that will come to be at a location where nothing is yet."""
    taken: set[Location] = field(default_factory=set)
    """What is taken out before anything else comes there."""
    ready: set[Parts] = field(default_factory=set)
    """Directories that are there, or are staged: they need not be looked for again."""
    planned: PlannedPaths = field(default_factory=PlannedPaths)
    state: State = "staged"

    def bring(self, source: Location, target: Location, replaced: Identity | None) -> None:
        """Add the step that brings something from staging to where `replaced` is, or nothing."""
        self.renames.append(Rename(source=source, target=target, replaces=replaced is not None))
        self.require(target, replaced)

    def require(self, location: Location, expected: Identity | None) -> None:
        """Add a precondition, but for what this very change makes room for, or a directory for."""
        if location in self.taken:
            return
        path = location.directory
        above = (Location(leaf=path[at], directory=path[:at]) for at in range(len(path)))
        if not any(directory in self.trees for directory in above):
            self.preconditions.append(Precondition(location, expected))

    def leftovers(self) -> list[bytes]:
        """Return the staged entries that nobody needs any more.

        Of a change that came to nothing that is what it staged, of one that was made what it
        displaced; of one that is under way, nothing.
        """
        if self.state == "committed":
            return []
        ends = [item.source if self.state == "staged" else item.target for item in self.renames]
        return [end.leaf for end in ends if end.process is not None]
