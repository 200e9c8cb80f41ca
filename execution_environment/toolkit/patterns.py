"""Globs in tool arguments: compiled by RE2, refused with the argument's name."""

from collections.abc import Iterable, Iterator
from typing import Any

from common.errors import ToolError
from common.files.globs import InvalidPattern, compile_glob
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.walking import Entry


class Glob:
    """Matches paths relative to a directory; without a slash, names at any depth."""

    def __init__(self, glob: str | None, base: str) -> None:
        """`base` is the directory's path; no glob matches everything."""
        self._prefix = "" if base == "." else f"{base}/"
        try:
            self._pattern: Any = None if glob is None else compile_glob(glob)
        except InvalidPattern as error:
            raise ToolError("invalid_pattern", f"The glob is not valid: {error}") from error

    def among(self, entries: Iterable[Entry], limits: CallLimits) -> Iterator[Entry]:
        """Yield the entries that match; a glob over many long paths takes its time."""
        for entry in entries:
            limits.check_deadline()
            if self._matches(entry.path):
                yield entry

    def _matches(self, path: str) -> bool:
        return self._pattern is None or bool(
            self._pattern.fullmatch(path.removeprefix(self._prefix))
        )
