"""What only looks: listings, pages of files, searches."""

import base64
import re
from typing import Any

from deepagents.backends.protocol import (
    FileData,
    FileInfo,
    GlobResult,
    GrepMatch,
    GrepResult,
    LsResult,
    ReadResult,
)
from deepagents.backends.sandbox import MAX_BINARY_BYTES
from deepagents.backends.utils import (
    InvalidGlobPatternError,
    compile_grep_include_glob,
    normalize_read_bounds,
)
from pydantic import JsonValue

from agentic.harnesses.calls import Calls
from agentic.harnesses.contents import Contents
from agentic.harnesses.deepagents.answering import answers
from agentic.harnesses.listing import PAGE, entries_of
from agentic.harnesses.paths import Root
from common.errors import ToolError

ROOT = Root("/")
_PLAIN = re.compile(r"(?!.*//)[\w.?*-][\w.?*/ -]{0,999}")
"""A glob that both read alike, but for names that begin with a dot, which theirs leaves out."""


class Looking:
    """The reading half of the backend."""

    def __init__(self, calls: Calls, contents: Contents) -> None:
        self._calls = calls
        self._contents = contents

    @answers(LsResult)
    async def ls(self, path: str) -> LsResult:
        """List a directory's own entries, ordered by path."""
        found = entries_of(self._calls, "list_directory", path=ROOT.relative(path))
        return LsResult(entries=[_info(entry) async for entry in found])

    @answers(ReadResult)
    async def read(self, path: str, offset: int, limit: int) -> ReadResult:
        """Read a page of lines; what is no text comes whole, as base64, up to their bound."""
        first, most = normalize_read_bounds(offset, limit)
        relative = ROOT.relative(path)
        try:
            return _page(await self._lines(relative, first + 1, max(most, 1)), first, most)
        except ToolError as error:
            if error.code != "binary_file":
                raise
            return await self._read_binary(path)

    async def _lines(self, path: str, start: int, most: int) -> dict[str, Any]:
        """Read lines, half as many where they are too long to be kept by the run: a page says so."""
        try:
            return await self._calls.make("read_file", path=path, start_line=start, max_lines=most)
        except ToolError as error:
            if error.code != "output_too_large" or most == 1:
                raise
            return await self._lines(path, start, most // 2)

    async def _read_binary(self, path: str) -> ReadResult:
        relative = ROOT.relative(path)
        info: dict[str, Any] = await self._calls.make("get_file_info", path=relative, hash=False)
        if info["size"] > MAX_BINARY_BYTES:
            bound = f"Binary file exceeds maximum preview size of {MAX_BINARY_BYTES} bytes"
            return ReadResult(error=f"File '{path}': {bound}")
        content = base64.b64encode(await self._contents.read(relative)).decode()
        return ReadResult(file_data=FileData(content=content, encoding="base64"))

    @answers(GrepResult)
    async def grep(
        self, pattern: str, path: str | None, glob: str | None, most: int | None
    ) -> GrepResult:
        """Find lines with a text in them; PAGE at most, and `truncated` where there are more."""
        base = ROOT.relative(path or ROOT.path)
        try:
            matches = compile_grep_include_glob(glob) if glob else _anything
        except InvalidGlobPatternError as error:
            return GrepResult(error=str(error))
        found = await self._lines_with(pattern, base, glob or "")
        # one for each line, however often the text is in it
        lines = {(one["path"], one["line"]): one["text"] for one in found["matches"]}
        shown = [
            GrepMatch(path=ROOT.absolute(name), line=line, text=text)
            for (name, line), text in lines.items()
            if matches(_beneath(name, base))
        ]
        cut = shown if most is None else shown[: max(most, 0)]
        return GrepResult(matches=cut, truncated=found["truncated"] or len(cut) < len(shown))

    async def _lines_with(self, pattern: str, base: str, glob: str) -> dict[str, Any]:
        """Search, in fewer files where the glob chooses among those that `search_files` would choose by it."""
        arguments: dict[str, JsonValue] = {"path": base, "limit": PAGE}
        if _PLAIN.fullmatch(glob):
            arguments["glob"] = glob
        if not pattern:  # is in every line
            return await self._calls.make("search_files", pattern="^", **arguments)
        return await self._calls.make("search_files", pattern=pattern, literal=True, **arguments)

    @answers(GlobResult)
    async def glob(self, pattern: str, path: str | None) -> GlobResult:
        """Find files by their own globs, whose braces and dots are not those of `find_files`."""
        try:
            matches = compile_grep_include_glob(pattern)
        except InvalidGlobPatternError as error:
            return GlobResult(error=str(error))
        base = ROOT.relative(path or ROOT.path)
        entries = entries_of(self._calls, "find_files", path=base, glob="*", type="file")
        found = [_info(entry) async for entry in entries if matches(_beneath(entry["path"], base))]
        return GlobResult(matches=found)


def _anything(_path: str) -> bool:
    return True


def _beneath(path: str, base: str) -> str:
    return path if base == "." else path.removeprefix(f"{base.rstrip('/')}/")


def _info(entry: dict[str, Any]) -> FileInfo:
    return FileInfo(
        path=ROOT.absolute(entry["path"]),
        is_dir=entry["type"] == "directory",
        size=entry["size"],
        modified_at=entry["modified_at"],
    )


def _page(page: dict[str, Any], first: int, most: int) -> ReadResult:
    """Return a page of a text: as their sandboxes have it, with line feeds, and without the last."""
    text = FileData(content=_with_line_feeds(page["content"]), encoding="utf-8")
    total, last = page["total_lines"], page["end_line"]
    if total == 0:
        return ReadResult(file_data=text)
    if most == 0:
        return ReadResult(file_data=FileData(content="", encoding="utf-8"), no_lines_requested=True)
    if first >= total:
        return ReadResult(error=f"Line offset {first} exceeds file length ({total} lines)")
    return ReadResult(
        file_data=text,
        total_lines=total,
        start_line=first + 1,
        end_line=last,
        next_offset=last if last < total else None,
    )


def _with_line_feeds(content: str) -> str:
    return content.replace("\r\n", "\n").removesuffix("\n")
