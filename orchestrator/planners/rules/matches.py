"""Commands of the `rules` planner about the files that match a glob: find them, read or delete each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from common.errors import ToolError
from common.runs import Step
from orchestrator.planners.decisions import Call
from orchestrator.planners.rules.commands import (
    MAX_READ,
    Arguments,
    Scope,
    listing,
    output,
    shown_file,
)

PAGE = 1000
MAX_EACH = 1000
"""Files that one command reads or deletes."""
_FIND = "find_files"


@dataclass(frozen=True)
class Find:
    """Finds what matches a glob, page by page; what was asked for by its name must be there."""

    scope: Scope
    kind: Literal["file", "directory"] = "file"
    is_name: bool = False

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the call for the next page."""
        cursor = output(done[-1])["next_cursor"] if done else None
        if done and cursor is None:
            return self._require(done)
        arguments = find_arguments(self.scope, self.kind)
        more: Arguments = {} if cursor is None else {"cursor": cursor}
        return [Call(_FIND, _FIND, arguments | more)]

    def answer(self, done: Sequence[Step]) -> str:
        """Name what matches."""
        names = _names(done)
        things = "files" if self.kind == "file" else "directories"
        return listing(f"Found {len(names)} {things} that match '{self.scope.glob}'", names)

    def _require(self, done: Sequence[Step]) -> Sequence[Call]:
        if self.is_name and not _names(done):
            raise ToolError(
                "path_not_found",
                f"No {self.kind} is called {self.scope}",
                hint="Find it by a pattern such as *.txt, or search for 'text' in the files.",
            )
        return []


@dataclass(frozen=True)
class Each:
    """Finds the files that match, then makes one call for each; with none it fails."""

    scope: Scope
    tool: Literal["read_file", "delete_path"]

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the search, then the calls that are left."""
        if not done:
            return [Call(_FIND, _FIND, find_arguments(self.scope, "file"))]
        names = self._all(output(done[0]))
        return [Call(self.tool, self.tool, self._arguments(name)) for name in names][
            len(done) - 1 :
        ]

    def answer(self, done: Sequence[Step]) -> str:
        """Show each file, or name what was deleted."""
        names = _names(done[:1])
        if self.tool == "delete_path":
            return listing(f"Deleted {len(names)} files that match '{self.scope.glob}'", names)
        read = zip(names, done[1:], strict=True)
        return "\n".join(shown_file(f"Read '{name}'", output(step)) for name, step in read)

    def _all(self, found: dict[str, Any]) -> list[str]:
        names = [str(entry["path"]) for entry in found["entries"]]
        if found["next_cursor"] is not None:
            raise ToolError(
                "output_too_large",
                f"More than {MAX_EACH} files match {self.scope}: nothing was done",
                hint="Narrow the files down.",
                limit=MAX_EACH,
            )
        if not names:
            raise ToolError("path_not_found", f"No file matches {self.scope}")
        return names

    def _arguments(self, path: str) -> Arguments:
        return {"path": path} if self.tool == "delete_path" else read_arguments(path)


def read_arguments(path: str) -> Arguments:
    """Return what reads the beginning of a file."""
    return {"path": path, "max_bytes": MAX_READ}


def find_arguments(scope: Scope, kind: str) -> Arguments:
    """Return a scope as `find_files` takes it."""
    return {"glob": scope.glob or "*", "path": scope.path, "type": kind, "limit": PAGE}


def _names(done: Sequence[Step]) -> list[str]:
    return [str(entry["path"]) for step in done for entry in output(step)["entries"]]
