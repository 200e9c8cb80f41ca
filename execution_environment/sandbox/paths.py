"""Where a workspace's paths lie: from the one root descriptor, by way of user and workspace."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from common.errors import ToolError
from execution_environment.sandbox.descriptors import ANY, opened
from execution_environment.sandbox.faults import translated
from execution_environment.sandbox.names import Parts, show, show_path
from execution_environment.sandbox.walking import read_directory

MAX_NEIGHBOURS = 1000
"""Names that are looked at to guess which one was meant."""


class Paths:
    """Paths of one workspace; `base` leads from the root descriptor to it."""

    def __init__(self, root: int, base: Parts) -> None:
        self.root = root
        self.base = base

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
        for depth, wanted in enumerate(parts):
            try:
                entries = read_directory(self.root, self.base, parts[:depth])
            except OSError:
                return None
            names = [show(entry.parts[-1]) for entry in entries[:MAX_NEIGHBOURS]]
            if show(wanted) not in names:
                close = get_close_matches(show(wanted), names, n=1)
                folder = "".join(f"{show(part)}/" for part in parts[:depth])
                return f"Did you mean '{folder}{close[0]}'?" if close else None
        return None
