"""The commands of the `rules` planner: which calls each needs, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import JsonValue

from common.errors import from_problem
from common.runs import Step
from orchestrator.planners.decisions import Call

MAX_SHOWN = 50
MAX_TEXT = 4000
"""Entries, and characters of a file, that an answer shows."""
MAX_READ = 64 * 1024
"""Bytes that are read of a file: its head, when there is more."""

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
    """Lists one directory, or only the directories in it."""

    only_folders: bool = False

    def answer(self, done: Sequence[Step]) -> str:
        """Name the entries."""
        return shown_directory(self.done_text, output(done[0]), only_folders=self.only_folders)


@dataclass(frozen=True)
class MakeDirectory(OneCall):
    """Creates a directory that may be there already."""

    def answer(self, done: Sequence[Step]) -> str:
        """Say whether it was."""
        was_made = bool(done[0].receipts)
        return self.done_text if was_made else f"'{self.arguments['path']}' was there already"


@dataclass(frozen=True)
class ReadFile(OneCall):
    """Reads one file, or a window of its lines."""

    def answer(self, done: Sequence[Step]) -> str:
        """Show the content, shortened."""
        read = output(done[0])
        if "max_lines" in self.arguments:
            lines = f"{self.done_text}, lines {read['start_line']} to {read['end_line']}"
            return shown_file(lines, read | {"truncated": False})
        return shown_file(self.done_text, read)


@dataclass(frozen=True)
class Search(OneCall):
    """Searches for plain text."""

    def answer(self, done: Sequence[Step]) -> str:
        """Show where it occurs."""
        found = output(done[0])
        lines = [f"{hit['path']}:{hit['line']}: {hit['text'].strip()}" for hit in found["matches"]]
        return listing(f"{self.done_text}: {found['total']} times", lines)


def shown_directory(title: str, page: dict[str, Any], *, only_folders: bool = False) -> str:
    """Return a title with the names of entries below it."""
    names = [_shown(entry) for entry in page["entries"]]
    if only_folders:
        names = [name for name in names if name.endswith("/")]
    at_least = "" if page["next_cursor"] is None else "more than "
    return listing(f"{title}: {at_least}{len(names)} entries", names)


def shown_file(title: str, read: dict[str, Any]) -> str:
    """Return a title with the text of a file below it, shortened, and say so."""
    text = str(read["content"])
    if len(text) <= MAX_TEXT and not read.get("truncated"):
        return f"{title}:\n{text}"
    return f"{title} (the beginning of {read['size']} bytes):\n{text[:MAX_TEXT]}\n…"


def _shown(entry: dict[str, Any]) -> str:
    return f"{entry['path']}/" if entry["type"] == "directory" else str(entry["path"])


def listing(title: str, lines: Sequence[str]) -> str:
    """Return a title with lines below it, shortened to MAX_SHOWN."""
    more = [f"… and {len(lines) - MAX_SHOWN} more"] if len(lines) > MAX_SHOWN else []
    return "\n".join([title, *(f"  {line}" for line in [*lines[:MAX_SHOWN], *more])])
