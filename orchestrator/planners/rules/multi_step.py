"""Commands of the `rules` planner that take several calls, each made from what the last one gave."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from common.errors import ToolError
from common.runs import Step
from orchestrator.planners.decisions import Call
from orchestrator.planners.rules.commands import Arguments, Scope, listing, output

MAX_MATCHES = 1000
SHOWN_OF_LINE = 500
"""Characters of a line that a search shows."""
_JOINT = r"['\u2019-]?"
_BEFORE, _AFTER = re.compile(rf"\w{_JOINT}$"), re.compile(rf"{_JOINT}\w")
"""What makes a word longer: letters and digits, also over an apostrophe or a hyphen."""


@dataclass(frozen=True)
class Append:
    """Appends lines to a file, which is made when it is missing."""

    path: str
    text: str

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Look at the file first, then add to just what was seen."""
        if not done:
            look: Arguments = {"path": self.path, "max_lines": 1}
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
    """Replaces plain text wherever it occurs: looks first, then edits file by file.

    A word is replaced only where it is part of no longer one, or nothing is.
    """

    old: str
    new: str
    scope: Scope = field(default_factory=Scope)
    is_word: bool = False

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
        return listing(f"Replaced '{self.old}' {times} times in {files} files", names)

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
        if self.is_word:
            self._require_words(found["matches"])
        return Counter(hit["path"] for hit in found["matches"])

    def _require_words(self, hits: Sequence[dict[str, Any]]) -> None:
        for hit in hits:
            if not _is_apart(hit["text"], hit["column"] - 1, len(self.old)):
                raise ToolError(
                    "text_not_unique",
                    f"'{self.old}' may be a part of a longer word in line {hit['line']} of"
                    f" '{hit['path']}': nothing was replaced",
                    hint="Leave out 'the word' to replace it there, too.",
                )

    def _edit(self, path: str, count: int) -> Call:
        edit: Arguments = {"old_text": self.old, "new_text": self.new, "expected_count": count}
        arguments: Arguments = {"path": path, "edits": [edit]}
        return Call("edit", "edit_file", arguments)


def _is_missing(step: Step) -> bool:
    return step.error is not None and step.error.code == "path_not_found"


def _is_apart(line: str, start: int, size: int) -> bool:
    """Tell whether what stands there is a word of its own; not where the line is cut before."""
    end = start + size
    before, after = _lettered(line[max(start - 2, 0) : start]), _lettered(line[end : end + 2])
    return end < SHOWN_OF_LINE and not (_BEFORE.search(before) or _AFTER.match(after))


def _lettered(text: str) -> str:
    """Put letters for accents and vowel signs: they belong to a word, which `\\w` denies."""
    return "".join("x" if unicodedata.category(sign)[0] == "M" else sign for sign in text)


def _line(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
