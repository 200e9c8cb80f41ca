"""Paths as frameworks write them, absolute, and as tools take them, relative to the workspace."""

import posixpath

from common.errors import ToolError


class Root:
    """Where a framework sees the workspace: an absolute POSIX path, such as `/workspace`.

    Names stay as tools show them: what is not printable UTF-8 is `\\xNN`, a backslash is two.
    """

    def __init__(self, path: str) -> None:
        if not path.startswith("/") or posixpath.normpath(path) != path:
            raise ValueError(
                f"{path!r} is no absolute path without '.', '..' and a slash at its end"
            )
        self.path = path
        self._above = path.rstrip("/") + "/"

    def relative(self, path: str) -> str:
        """Return a path as tools take it, `.` for the workspace itself.

        Raises `path_not_allowed` for one that is not absolute, or lies outside, where nothing is
        (ENOENT). What is beneath is the service's to judge: it refuses '..'.
        """
        beneath = path.rstrip("/") or "/"
        if beneath == self.path:
            return "."
        if not beneath.startswith(self._above):
            raise ToolError(
                "path_not_allowed",
                f"'{path}' is not in the workspace",
                hint=f"The workspace is '{self.path}': its paths begin so.",
                path=path,
                errno="ENOENT",
            )
        return beneath.removeprefix(self._above).lstrip("/") or "."

    def absolute(self, path: str) -> str:
        """Return the framework's path of one that a tool has told."""
        return self.path if path == "." else self._above + path

    def is_enclosed_by(self, path: str) -> bool:
        """Tell whether a path is the workspace itself, or a directory above it."""
        return f"{self.path}/".startswith(posixpath.normpath(path).rstrip("/") + "/")
