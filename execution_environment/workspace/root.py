"""Where a workspace's paths lie: from the one root descriptor, by way of user and workspace."""

import os
from collections.abc import Container, Iterator
from contextlib import contextmanager

from common.errors import AgenticError, ToolError
from common.files.paths import Parts, parse, show, show_path
from execution_environment.sandbox.descriptors import ANY, opened, opened_file
from execution_environment.sandbox.os_errors import answer_for
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
        self.guesses = MAX_GUESSES
        """How many are left; a reader that expects nothing to be there sets them to none."""

    def changeable(self, path: str) -> Parts:
        """Return what a path names that may be changed: anything but the workspace itself."""
        parts = parse(path)
        if not parts:
            raise ToolError("not_a_file", "the workspace itself cannot be replaced", path=".")
        return parts

    def location(self, parts: Parts) -> Location:
        """Return where a leaf is renamed to, or from."""
        full = self.base + parts
        return Location(leaf=full[-1], directory=full[:-1])

    @contextmanager
    def opened_file(self, path: str) -> Iterator[tuple[int, os.stat_result]]:
        """Open a regular file for reading; yield its descriptor and status."""
        parts = parse(path)
        with (
            self.errors_of(parts),
            opened_file(self.descriptor, self.base + parts, path) as opened_now,
        ):
            yield opened_now

    @contextmanager
    def errors_of(self, parts: Parts) -> Iterator[None]:
        """Name the path in every error of the file system, and what may have been meant."""
        try:
            yield
        except OSError as error:
            answer = answer_for(error, show_path(parts))
            if answer is None:
                raise
            self._add_guess(answer, parts)
            raise answer from error
        except ToolError as error:
            self._add_guess(error, parts)
            raise

    def locate(
        self, parts: Parts, *, create_parents: bool = True, gone: Container[Location] = ()
    ) -> tuple[Parts, bytes, Parts]:
        """Return the deepest directory there is on the way, the leaf to make in it, and the rest.

        What is `gone` is there no more. Raises `path_not_found` when directories are missing that
        are not to be made.
        """
        full = self.base + parts
        depth = next(
            (at for at in range(len(full)) if Location(leaf=full[at], directory=full[:at]) in gone),
            len(full) - 1,
        )
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

    def _add_guess(self, error: AgenticError, parts: Parts) -> None:
        if error.code == "path_not_found" and self.guesses > 0:
            self.guesses -= 1
            error.hint = self._guess(parts) or error.hint

    def _guess(self, parts: Parts) -> str | None:
        """Return a hint that names the entry most like the first one that is missing."""
        depth = self._depth_of_what_is_there(parts)
        if depth == len(parts):
            return None
        try:
            names = read_names(self.descriptor, self.base + parts[:depth], MAX_NEIGHBOURS)
        except OSError:
            return None
        shown = [show(name) for name in names]
        best = most_similar(show(parts[depth]), shown)
        folder = "".join(f"{show(part)}/" for part in parts[:depth])
        return None if best is None else f"Did you mean '{folder}{shown[best]}'?"

    def _depth_of_what_is_there(self, parts: Parts) -> int:
        for depth in range(len(parts)):
            try:
                with opened(self.descriptor, self.base + parts[: depth + 1], ANY):
                    pass
            except OSError:
                return depth
        return len(parts)
