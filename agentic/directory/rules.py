"""Ignore files in the syntax of gitignore, wherever in a directory they lie."""

import os
import stat

from pathspec import GitIgnoreSpec

from agentic.directory.names import Parts
from agentic.directory.root import Root

MAX_SIZE = 1024 * 1024
"""Bytes of an ignore file that are read."""


class Rules:
    """The ignore files of one name, nested as git has them: the deepest that matches decides."""

    def __init__(self, root: Root, name: bytes) -> None:
        self._root = root
        self._name = name
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
            lines = _lines(self._root, (*directory, self._name))
            self._specs[directory] = _compiled(lines) if lines else None
        return self._specs[directory]


def _lines(root: Root, parts: Parts) -> list[str]:
    status = root.status(parts)
    if status is None or not stat.S_ISREG(status.st_mode):  # git follows no link either
        return []
    with root.open_file(parts) as descriptor:
        return os.fsdecode(os.read(descriptor, MAX_SIZE)).splitlines()


def _compiled(lines: list[str]) -> GitIgnoreSpec:
    """Return the rules of a file; a line that is none is passed over, as git does."""
    return GitIgnoreSpec.from_lines([line for line in lines if _is_rule(line)])


def _is_rule(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
