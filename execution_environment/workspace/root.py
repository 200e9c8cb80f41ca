"""Where a workspace's paths lie: from the one root descriptor, by way of user and workspace."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import ToolError
from execution_environment.sandbox.descriptors import ANY, opened
from execution_environment.sandbox.os_errors import translated
from execution_environment.sandbox.paths import Parts, show, show_path
from execution_environment.sandbox.walking import read_names
from execution_environment.workspace.similarity import most_similar

MAX_NEIGHBOURS = 1000
"""Names that are looked at to guess which one was meant."""
MAX_GUESSES = 3
"""Guesses that one call gets: it may name a hundred paths that do not exist."""


class Paths:
    """Paths of one workspace; `base` leads from the root descriptor to it."""

    def __init__(self, root: int, base: Parts) -> None:
        self.root = root
        self.base = base
        self._guesses = MAX_GUESSES

    def full(self, parts: Parts) -> Parts:
        """Return the path from the root descriptor."""
        return self.base + parts

    @contextmanager
    def errors_of(self, parts: Parts) -> Iterator[None]:
        """Name the path in every error of the file system, and what may have been meant."""
        try:
            with translated(show_path(parts)):
                yield
        except ToolError as error:
            if error.code == "path_not_found":
                error.hint = self._guess(parts) or error.hint
            raise

    @contextmanager
    def without_guesses(self) -> Iterator[None]:
        """Save them where nobody sees the error: what is missing may be as it should be."""
        left, self._guesses = self._guesses, 0
        try:
            yield
        finally:
            self._guesses = left

    def place(self, parts: Parts, *, create_parents: bool) -> tuple[Parts, bytes, Parts]:
        """Return the deepest directory there is on the way, the leaf to make in it, and the rest.

        Raises `path_not_found` when directories are missing that are not to be made.
        """
        full = self.full(parts)
        depth = len(full) - 1
        while not self._is_directory(full[:depth]):
            depth -= 1
        if not create_parents and len(self.base) < len(full) - 1 and depth < len(full) - 1:
            parent = show_path(parts[:-1])
            raise ToolError(
                "path_not_found", f"'{parent}' does not exist", path=parent, errno="ENOENT"
            )
        return full[:depth], full[depth], full[depth + 1 :]

    def _is_directory(self, full: Parts) -> bool:
        try:
            with opened(self.root, full, ANY | os.O_DIRECTORY):
                return True
        except FileNotFoundError:
            return False

    def _guess(self, parts: Parts) -> str | None:
        """Return a hint that names the entry most like the first one that is missing."""
        if self._guesses == 0:
            return None
        self._guesses -= 1
        depth = self._depth_of_what_is_there(parts)
        if depth == len(parts):
            return None
        try:
            names = read_names(self.root, self.full(parts[:depth]), MAX_NEIGHBOURS)
        except OSError:
            return None
        shown = [show(name) for name in names]
        best = most_similar(show(parts[depth]), shown)
        folder = "".join(f"{show(part)}/" for part in parts[:depth])
        return None if best is None else f"Did you mean '{folder}{shown[best]}'?"

    def _depth_of_what_is_there(self, parts: Parts) -> int:
        for depth in range(len(parts)):
            try:
                with opened(self.root, self.full(parts[: depth + 1]), ANY):
                    pass
            except OSError:
                return depth
        return len(parts)
