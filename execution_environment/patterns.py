"""Patterns and globs in tool arguments: compiled by RE2, refused with the argument's name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common.errors import ToolError
from common.globs import InvalidPattern, compile_glob


@contextmanager
def named(argument: str) -> Iterator[None]:
    """Say which argument is at fault when a pattern is not valid."""
    try:
        yield
    except InvalidPattern as error:
        raise ToolError("invalid_pattern", f"The {argument} is not valid: {error}") from error


class Glob:
    """Matches paths relative to a directory; without a slash, names at any depth."""

    def __init__(self, glob: str | None, base: str) -> None:
        """`base` is the directory's path; no glob matches everything."""
        self._prefix = "" if base == "." else f"{base}/"
        with named("glob"):
            self._pattern: Any = None if glob is None else compile_glob(glob)

    def matches(self, path: str) -> bool:
        """Tell whether a path of the workspace matches."""
        return self._pattern is None or bool(
            self._pattern.fullmatch(path.removeprefix(self._prefix))
        )
