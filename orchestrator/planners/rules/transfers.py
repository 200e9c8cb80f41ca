"""Commands of the `rules` planner that look at a place first: copy, move, and what is in it."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from common.errors import ToolError, from_problem
from common.runs import Step
from orchestrator.planners.decisions import Call
from orchestrator.planners.rules.commands import Arguments, output, shown_directory, shown_file
from orchestrator.planners.rules.matches import read_arguments
from orchestrator.planners.rules.targets import looks_like_a_file

Tool = Literal["copy_path", "move_path"]
DONE = {"copy_path": "Copied", "move_path": "Moved"}


@dataclass(frozen=True)
class Transfer:
    """Copies or moves to a place that is a folder or a new name: a look at it says which.

    `into` says that it must be a folder.
    """

    tool: Tool
    source: str
    place: str
    into: bool = False

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the look, then the transfer."""
        if not done:
            look: Arguments = {"path": self.place, "limit": 1}
            return [Call("look", "list_directory", look, on_error="continue")]
        if len(done) > 1:
            return []
        arguments: Arguments = {"source": self.source, "destination": self._destination(done[0])}
        return [Call(self.tool, self.tool, arguments)]

    def answer(self, done: Sequence[Step]) -> str:
        """Say what is where now."""
        return f"{DONE[self.tool]} '{self.source}' to '{self._destination(done[0])}'"

    def _destination(self, look: Step) -> str:
        if look.error is None:
            return within(self.place, self.source)
        if look.error.code not in ("path_not_found", "not_a_directory"):
            raise from_problem(look.error)
        if self.into:
            raise ToolError(
                "not_a_directory",
                f"'{self.place}' is no directory",
                hint=f"Write '{self.place}/' to make it one, or use 'to' for a new name.",
                path=self.place,
            )
        if look.error.code == "path_not_found" and self._could_be_either():
            raise ToolError(
                "path_not_found",
                f"'{self.place}' does not exist, and could be a directory or a file",
                hint=f"Say '{self.place}/' for a directory, or 'the file {self.place}'.",
                path=self.place,
            )
        return self.place

    def _could_be_either(self) -> bool:
        return looks_like_a_file(self.source) and not looks_like_a_file(self.place)


@dataclass(frozen=True)
class Inspect:
    """Lists a directory, or reads a file: whichever the path is."""

    path: str

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the listing; when it is refused, the reading."""
        if not done:
            arguments: Arguments = {"path": self.path, "limit": 1000}
            return [Call("list_directory", "list_directory", arguments, on_error="continue")]
        if len(done) > 1 or done[0].error is None:
            return []
        if done[0].error.code != "not_a_directory":
            raise from_problem(done[0].error)
        return [Call("read_file", "read_file", read_arguments(self.path))]

    def answer(self, done: Sequence[Step]) -> str:
        """Show the entries, or the content."""
        if len(done) == 1:
            return shown_directory(f"Listed '{self.path}'", output(done[0]))
        return shown_file(f"Read '{self.path}'", output(done[1]))


def within(folder: str, path: str) -> str:
    """Return where something goes in a folder: under its own name."""
    name = posixpath.basename(path)
    return name if folder == "." else f"{folder}/{name}"
