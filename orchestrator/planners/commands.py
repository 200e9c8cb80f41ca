"""The commands of the `rules` planner: which calls each needs, and what it answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import JsonValue

from common.errors import ToolError, from_problem
from common.globs import compile_glob, is_glob
from common.runs import Step
from orchestrator.planners.base import Call

MAX_SHOWN = 50
MAX_TEXT = 4000
"""Entries, and characters of a file, that an answer shows."""
MAX_MATCHES = 1000
MAX_DEPTH = 100

Arguments = dict[str, JsonValue]


@dataclass(frozen=True)
class Scope:
    """Where to search: beneath a directory, or one file, narrowed by a glob."""

    path: str = "."
    glob: str | None = None

    def arguments(self) -> Arguments:
        """Return it as `search_files` takes it."""
        where: Arguments = {"path": self.path}
        return where if self.glob is None else where | {"glob": self.glob}

    def __str__(self) -> str:
        """Return it in words."""
        where = "the workspace" if self.path == "." else f"'{self.path}'"
        return where if self.glob is None else f"'{self.glob}' in {where}"


class Command(Protocol):
    """`done` are the steps that were made for this command, in order."""

    def calls(self, done: Sequence[Step], /) -> Sequence[Call]:
        """Return the calls to make next, none when the command is done."""

    def answer(self, done: Sequence[Step], /) -> str:
        """Say what came of it."""


def output(step: Step) -> dict[str, Any]:
    """Return what a step gave; raise what kept it from that."""
    if step.error is not None:
        raise from_problem(step.error)
    return dict(step.output or {})


@dataclass(frozen=True)
class OneCall:
    """A command that is one tool call."""

    tool: str
    arguments: Arguments
    done_text: str

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the call, once."""
        return [] if done else [Call(self.tool, self.tool, self.arguments)]

    def answer(self, _done: Sequence[Step]) -> str:
        """Say that it was done."""
        return self.done_text


@dataclass(frozen=True)
class ListDirectory(OneCall):
    """Lists one directory."""

    def answer(self, done: Sequence[Step]) -> str:
        """Name the entries."""
        found = output(done[0])
        names = [_shown(entry) for entry in found["entries"]]
        at_least = "" if found["next_cursor"] is None else "more than "
        return _listing(f"{self.done_text}: {at_least}{len(names)} entries", names)


@dataclass(frozen=True)
class ReadFile(OneCall):
    """Reads one file."""

    def answer(self, done: Sequence[Step]) -> str:
        """Show the content, shortened."""
        content = str(output(done[0])["content"])
        more = "" if len(content) <= MAX_TEXT else "\n…"
        return f"{self.done_text}:\n{content[:MAX_TEXT]}{more}"


@dataclass(frozen=True)
class Search(OneCall):
    """Searches for plain text."""

    def answer(self, done: Sequence[Step]) -> str:
        """Show where it occurs."""
        found = output(done[0])
        lines = [f"{hit['path']}:{hit['line']}: {hit['text'].strip()}" for hit in found["matches"]]
        return _listing(f"{self.done_text}: {found['total']} times", lines)


@dataclass(frozen=True)
class Find:
    """Finds files whose path matches a glob, page by page."""

    glob: str
    path: str

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the call for the next page."""
        cursor = output(done[-1])["next_cursor"] if done else None
        if done and cursor is None:
            return []
        arguments: Arguments = {"path": self.path, "depth": MAX_DEPTH, "limit": 1000}
        more: Arguments = {} if cursor is None else {"cursor": cursor}
        return [Call("list_directory", "list_directory", arguments | more)]

    def answer(self, done: Sequence[Step]) -> str:
        """Name the files that match."""
        glob, prefix = compile_glob(self.glob), "" if self.path == "." else f"{self.path}/"
        entries = [entry for step in done for entry in output(step)["entries"]]
        names = [
            entry["path"]
            for entry in entries
            if entry["type"] == "file" and glob.fullmatch(entry["path"].removeprefix(prefix))
        ]
        return _listing(f"Found {len(names)} files that match '{self.glob}'", names)


@dataclass(frozen=True)
class Append:
    """Appends lines to a file, which is made when it is missing."""

    path: str
    text: str

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Look at the file first, then add to just what was seen."""
        if not done:
            look = {"path": self.path, "max_lines": 1}
            return [Call("look", "read_file", look, on_error="continue")]
        if len(done) > 1:
            return []
        return [self._create() if _is_missing(done[0]) else self._extend(output(done[0]))]

    def answer(self, _done: Sequence[Step]) -> str:
        """Say where it was added."""
        return f"Appended to '{self.path}'"

    def _create(self) -> Call:
        arguments: Arguments = {"path": self.path, "content": _line(self.text)}
        return Call("create", "write_file", arguments)

    def _extend(self, seen: dict[str, Any]) -> Call:
        edit: Arguments = {"insert_at_line": seen["total_lines"] + 1, "text": _line(self.text)}
        arguments: Arguments = {
            "path": self.path,
            "edits": [edit],
            "expected_sha256": seen["sha256"],
        }
        return Call("append", "edit_file", arguments)


@dataclass(frozen=True)
class Replace:
    """Replaces plain text wherever it occurs: looks first, then edits file by file."""

    old: str
    new: str
    scope: Scope = field(default_factory=Scope)

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the search, then an edit for each file in which the text was found."""
        if not done:
            arguments: Arguments = {"pattern": self.old, "literal": True, "limit": MAX_MATCHES}
            return [Call("search", "search_files", arguments | self.scope.arguments())]
        counts = self._counts(output(done[0]))
        return [self._edit(path, count) for path, count in counts.items()][len(done) - 1 :]

    def answer(self, done: Sequence[Step]) -> str:
        """Say how often it was replaced and where."""
        counts = self._counts(output(done[0]))
        times, files = sum(counts.values()), len(counts)
        names = [f"{path} ({count})" for path, count in counts.items()]
        return _listing(f"Replaced '{self.old}' {times} times in {files} files", names)

    def _counts(self, found: dict[str, Any]) -> Counter[str]:
        if found["truncated"]:
            raise ToolError(
                "output_too_large",
                f"'{self.old}' occurs {found['total']} times in {self.scope}: nothing was replaced",
                hint=f"Narrow the files down: {MAX_MATCHES} occurrences can be replaced at once.",
                limit=MAX_MATCHES,
                actual=found["total"],
            )
        if not found["matches"]:
            raise ToolError("text_not_found", f"'{self.old}' does not occur in {self.scope}")
        return Counter(hit["path"] for hit in found["matches"])

    def _edit(self, path: str, count: int) -> Call:
        edit: Arguments = {"old_text": self.old, "new_text": self.new, "expected_count": count}
        arguments: Arguments = {"path": path, "edits": [edit]}
        return Call("edit", "edit_file", arguments)


def scope_of(target: str, base: str | None) -> Scope:
    """Return the scope of `in TARGET [in BASE]`."""
    if is_glob(target):
        return Scope(base or ".", target)
    return Scope(target if base is None else f"{base}/{target}")


def _is_missing(step: Step) -> bool:
    return step.error is not None and step.error.code == "path_not_found"


def _line(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _shown(entry: dict[str, Any]) -> str:
    return f"{entry['path']}/" if entry["type"] == "directory" else str(entry["path"])


def _listing(title: str, lines: Sequence[str]) -> str:
    more = [f"… and {len(lines) - MAX_SHOWN} more"] if len(lines) > MAX_SHOWN else []
    return "\n".join([title, *(f"  {line}" for line in [*lines[:MAX_SHOWN], *more])])
