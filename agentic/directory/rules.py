"""Ignore files in the syntax of gitignore, wherever in a directory they lie."""

import os
import re
import stat
import warnings

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from agentic.directory.names import Parts, shown
from agentic.directory.root import Root

MAX_SIZE = 1024 * 1024
"""Bytes of an ignore file that are read."""


class Rules:
    """The ignore files of one name, nested as git has them: the deepest that matches decides.

    A line that is no rule is passed over, as git does, and told in `notes`.
    """

    def __init__(self, root: Root, name: bytes, notes: list[str]) -> None:
        self._root = root
        self._name = name
        self._notes = notes
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
            self._specs[directory] = self._compiled(lines, shown(path)) if lines else None
        return self._specs[directory]

    def _compiled(self, lines: list[str], path: str) -> GitIgnoreSpec:
        compiled = {number: _rule(line) for number, line in enumerate(lines, 1) if line}
        odd = [number for number, rule in compiled.items() if rule is None]
        if odd:
            more = f", like {len(odd) - 1} more" if len(odd) > 1 else ""
            note = f"Line {odd[0]} of '{path}' is no rule and is passed over{more}."
            self._notes += [] if note in self._notes else [note]  # a repository within looks again
        # other backends are used where they are installed: re2 takes no name that is not UTF-8
        return GitIgnoreSpec([rule for rule in compiled.values() if rule], backend="simple")


def _lines(root: Root, parts: Parts) -> list[str]:
    status = root.status(parts)
    if status is None or not stat.S_ISREG(status.st_mode):  # git follows no link either
        return []
    with root.open_file(parts) as descriptor:
        return os.fsdecode(os.read(descriptor, MAX_SIZE)).splitlines()


def _rule(line: str) -> GitIgnoreSpecPattern | None:
    """Return a line as a rule; None where it is none, such as `[z-a]`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[a]` may mean something else to re later
        try:
            return GitIgnoreSpecPattern(line)
        except (ValueError, re.error):
            return None
