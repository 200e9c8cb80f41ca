"""Ignore files in the syntax of gitignore, wherever in a directory they lie."""

import os
import re
import stat
import warnings
from collections.abc import Mapping

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from agentic.directory.faults import refusal
from agentic.directory.names import Parts, shown
from agentic.directory.root import Root
from common.errors import AgenticError

MAX_SIZE = 1024 * 1024
MAX_RULES = 10_000
MAX_ALL_RULES = 50_000
"""Bytes and rules of an ignore file, and rules of all: each takes 0.1 ms, and 1 µs for every file."""
_STAR = "[^/]*"


class Rules:
    """The ignore files of one name, nested as git has them: the deepest that matches decides.

    A line that is no rule is passed over, as git does, and told in `notes`.
    """

    def __init__(self, root: Root, name: bytes, notes: list[str]) -> None:
        self._root = root
        self._name = name
        self._notes = notes
        self._count = 0
        self._specs: dict[Parts, GitIgnoreSpec | None] = {}
        self._ignored: dict[Parts, bool] = {(): False}

    def ignores(self, parts: Parts) -> bool:
        """Tell whether a file is ignored, by itself or with a directory that it lies in."""
        return self.ignores_directory(parts[:-1]) or self._is_matched(parts, "")

    def ignores_directory(self, parts: Parts) -> bool:
        """Tell whether a directory is: nothing in it can be taken out of that again."""
        if parts not in self._ignored:
            is_ignored = self.ignores_directory(parts[:-1]) or self._is_matched(parts, "/")
            self._ignored[parts] = is_ignored
        return self._ignored[parts]

    def _is_matched(self, parts: Parts, end: str) -> bool:
        for depth in reversed(range(len(parts))):
            spec = self._spec(parts[:depth])
            if spec is None:
                continue
            verdict = spec.check_file(os.fsdecode(b"/".join(parts[depth:])) + end).include
            if verdict is not None:
                return verdict
        return False

    def _spec(self, directory: Parts) -> GitIgnoreSpec | None:
        if directory not in self._specs:
            path = (*directory, self._name)
            lines = _lines(self._root, path)
            self._count += len(lines)
            if len(lines) > MAX_RULES or self._count > MAX_ALL_RULES:
                raise _too_much(path, f"{MAX_RULES} rules, or {MAX_ALL_RULES} with other files")
            self._specs[directory] = self._compiled(lines, shown(path)) if lines else None
        return self._specs[directory]

    def _compiled(self, lines: Mapping[int, str], path: str) -> GitIgnoreSpec:
        compiled = {number: _rule(line) for number, line in lines.items()}
        odd = [number for number, rule in compiled.items() if rule is None]
        if odd:
            more = f", like {len(odd) - 1} more" if len(odd) > 1 else ""
            note = f"Line {odd[0]} of '{path}' is no rule and is passed over{more}."
            self._notes += [] if note in self._notes else [note]  # a repository within looks again
        # other backends are used where they are installed: re2 takes no name that is not UTF-8
        return GitIgnoreSpec([rule for rule in compiled.values() if rule], backend="simple")


def _lines(root: Root, parts: Parts) -> dict[int, str]:
    """Return the lines that are to be rules, by their numbers."""
    status = root.status(parts)
    if status is None or not stat.S_ISREG(status.st_mode):  # git follows no link either
        return {}
    with root.open_file(parts) as descriptor:
        text = os.read(descriptor, MAX_SIZE + 1)
    if len(text) > MAX_SIZE:  # what its end names must not be sent
        raise _too_much(parts, f"{MAX_SIZE} bytes")
    # as git does: what else a line may end at is a part of it, or a comment would hide a rule
    each = (line.removesuffix("\r") for line in os.fsdecode(text).split("\n"))
    lines = enumerate(each, 1)
    return {number: line for number, line in lines if line.strip() and not line.startswith("#")}


def _too_much(parts: Parts, most: str) -> AgenticError:
    path = shown(parts)
    hint = "Shorten it: a pattern may stand for many names, and a directory for all in it."
    return refusal("invalid_request", f"'{path}' has more than {most}", hint=hint, path=path)


def _without_retries(regex: str) -> str:
    """Take of every star the shortest that goes on, where another star of the name follows.

    That takes whatever a longer one would have: nothing is lost, and nothing is tried again.
    """
    first, *pieces = regex.split(_STAR)
    for number, piece in enumerate(pieces, 1):
        is_followed = number < len(pieces) and "/" not in piece.replace("[^/]", "")
        first += f"(?>[^/]*?{piece})" if is_followed else f"{_STAR}{piece}"
    return first


def _rule(line: str) -> GitIgnoreSpecPattern | None:
    """Return a line as a rule; None where it is none, such as `[z-a]`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[a]` may mean something else to re later
        try:
            regex, include = GitIgnoreSpecPattern.pattern_to_regex(line)
            compiled = None if regex is None else re.compile(_without_retries(regex))
        except (ValueError, re.error):
            return None
    return GitIgnoreSpecPattern(compiled, include)
