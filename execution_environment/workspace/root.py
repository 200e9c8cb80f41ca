"""Where a workspace's paths lie: from the one root descriptor, by way of user and workspace."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import ToolError
from execution_environment.sandbox.descriptors import ANY, opened, opened_file
from execution_environment.sandbox.os_errors import translated
from execution_environment.sandbox.paths import Parts, parse, show, show_path
from execution_environment.sandbox.renames import Location
from execution_environment.sandbox.walking import read_names
from execution_environment.workspace.similarity import most_similar

MAX_NEIGHBOURS = 1000
"""Names that are looked at to guess which one was meant."""
MAX_GUESSES = 3
"""Guesses that one call gets: it may name a hundred paths that do not exist."""


class WorkspaceRoot:
    """Paths of one workspace; `base` leads from the root descriptor to it."""

    def __init__(self, descriptor: int, base: Parts) -> None:
        self.descriptor = descriptor
        self.base = base
        self._guesses = MAX_GUESSES

    def full(self, parts: Parts) -> Parts:
        """Return the path from the root descriptor."""
        return self.base + parts

    def changeable(self, path: str) -> Parts:
        """Return what a path names that may be changed: anything but the workspace itself."""
        parts = parse(path)
        if not parts:
            raise ToolError("not_a_file", "the workspace itself cannot be replaced", path=".")
        return parts

    def location(self, parts: Parts) -> Location:
        """Return where a leaf is renamed to, or from."""
        full = self.full(parts)
        return Location(leaf=full[-1], directory=full[:-1])

    @contextmanager
    def opened_file(self, path: str) -> Iterator[tuple[int, os.stat_result]]:
        """Open a regular file for reading; yield its descriptor and status."""
        parts = parse(path)
        with (
            self.errors_of(parts),
            opened_file(self.descriptor, self.full(parts), path) as opened_now,
        ):
            yield opened_now

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

    def locate(self, parts: Parts, *, create_parents: bool) -> tuple[Parts, bytes, Parts]:
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
            with opened(self.descriptor, full, ANY | os.O_DIRECTORY):
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
            names = read_names(self.descriptor, self.full(parts[:depth]), MAX_NEIGHBOURS)
        except OSError:
            return None
        shown = [show(name) for name in names]
        best = most_similar(show(parts[depth]), shown)
        folder = "".join(f"{show(part)}/" for part in parts[:depth])
        return None if best is None else f"Did you mean '{folder}{shown[best]}'?"

    def _depth_of_what_is_there(self, parts: Parts) -> int:
        for depth in range(len(parts)):
            try:
                with opened(self.descriptor, self.full(parts[: depth + 1]), ANY):
                    pass
            except OSError:
                return depth
        return len(parts)
