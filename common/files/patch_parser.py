"""Reads unified diffs over several files, as git, diff and language models write them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from common.errors import ToolError
from common.files.patch_paths import named_twice, renaming, stripped
from common.files.patches import MAX_LINES, FilePatch, Hunk, failed
from common.files.quoting import unquoted

INTERVAL = 1000
"""Lines between two looks at the clock."""
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_BINARY = re.compile(r"Binary files? .* differs?$|GIT binary patch")
_FACTS = ("rename from ", "rename to ", "new file", "deleted file", "new mode")
_SIGNATURE = "-- "
"""What git ends a mail with."""
_COUNT = "Count the lines: '@@ -old_start,old_lines +new_start,new_lines @@'; or use edit_file."
_HEAD = "A hunk begins with '@@ -1,2 +1,3 @@'."
_LAST = "Only the last line can be without a newline."


def parse(patch: str, check_clock: Callable[[], None] = lambda: None) -> list[FilePatch]:
    """Return what happens to each file, in order; raise `patch_failed` for what is no patch.

    `check_clock` is called now and then, and may raise.
    """
    _require_text(patch)
    if "\r\n" in patch and patch.count("\r\n") == patch.count("\n"):
        patch = patch.replace("\r\n", "\n")
    reader = _Reader(patch.removesuffix("\n").split("\n"), check_clock)
    files: list[FilePatch] = []
    seen: set[str] = set()
    for file in reader.files():
        paths = {path for path in (file.old_path, file.new_path) if path is not None}
        if paths & seen:
            raise reader.garbled("the file is in the patch twice", "Put its hunks together.")
        files.append(file)
        seen |= paths
    if not files:
        raise failed("The patch names no file", "Give a unified diff with '---' and '+++' lines.")
    return files


def _require_text(patch: str) -> None:
    count = patch.count("\n")
    if count > MAX_LINES:
        raise failed(f"The patch has {count} lines, more than {MAX_LINES}", "Give it in parts.")
    try:
        patch.encode()
    except UnicodeEncodeError as error:
        raise failed("The patch is not valid Unicode", "Give it in UTF-8.") from error


class _Reader:
    """Goes through the lines once."""

    def __init__(self, lines: list[str], check_clock: Callable[[], None]) -> None:
        self._lines = lines
        self._check_clock = check_clock
        self._at = 0
        self._path: str | None = None

    def files(self) -> Iterator[FilePatch]:
        """Yield the files; what stands before and between them is passed over."""
        while self._at < len(self._lines):
            if self._line().startswith("diff --git "):
                yield from self._git_file()
            elif self._is_header():
                yield self._file()
            elif _HUNK.match(self._line()):
                self._path = None
                raise self.garbled("a hunk without a file", "Begin with '---' and '+++' lines.")
            else:
                self._require_no_binary()
                self._go_on()

    def _go_on(self) -> None:
        self._at += 1
        if self._at % INTERVAL == 0:
            self._check_clock()

    def _line(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _is_header(self) -> bool:
        pair = self._lines[self._at : self._at + 2]
        return len(pair) == 2 and pair[0].startswith("--- ") and pair[1].startswith("+++ ")

    def _git_file(self) -> Iterator[FilePatch]:
        """Read git's own lines about a file: they matter where there are no others."""
        self._path = named_twice(self._line())
        facts = self._git_facts()
        renamed = renaming(facts)
        if self._is_header():
            file = self._file()
            if renamed is not None and renamed != (file.old_path, file.new_path):
                raise self.garbled("a rename of another file", "Name the same files in each line.")
            yield file
        elif renamed is not None:
            yield self._named(*renamed)
        else:
            yield self._empty(facts)

    def _git_facts(self) -> dict[str, str]:
        facts: dict[str, str] = {}
        self._at += 1
        while self._at < len(self._lines) and not self._is_header():
            line = self._line()
            if line.startswith(("diff --git ", "@@ ")):
                break
            self._require_no_binary()
            if line.startswith("copy from "):
                what = f"a copy of '{unquoted(line.removeprefix('copy from '))}'"
                raise self.garbled(what, "Create the file with '--- /dev/null' instead.")
            facts |= {fact: line.removeprefix(fact) for fact in _FACTS if line.startswith(fact)}
            self._go_on()
        return facts

    def _empty(self, facts: dict[str, str]) -> FilePatch:
        if self._path is not None and "new file" in facts:
            return self._named(None, self._path)
        if self._path is not None and "deleted file" in facts:
            return self._named(self._path, None)
        hint = "Modes cannot be changed by a patch." if "new mode" in facts else _HEAD
        raise self.garbled("a file without hunks", hint)

    def _named(self, old_path: str | None, new_path: str | None) -> FilePatch:
        self._path = new_path or old_path
        if not self._path or "" in (old_path, new_path):
            raise self.garbled("a file without a path", "One of the two lines names the file.")
        return FilePatch(old_path, new_path, ())

    def _file(self) -> FilePatch:
        paths = stripped(unquoted(self._line()[4:]), unquoted(self._lines[self._at + 1][4:]))
        file = self._named(*paths)
        self._at += 2
        hunks: list[Hunk] = []
        while match := _HUNK.match(self._line()):
            hunks.append(self._hunk(len(hunks) + 1, match))
        if not hunks:
            raise self.garbled("a file without hunks", _HEAD)
        self._require_end()
        return replace(file, hunks=tuple(hunks))

    def _hunk(self, number: int, head: re.Match[str]) -> Hunk:
        first = self._at = self._at + 1
        old, new = (1 if count is None else int(count) for count in (head[2], head[4]))
        while old > 0 or new > 0 or self._line().startswith("\\"):
            if self._at >= len(self._lines):
                raise self.garbled(f"hunk {number} ends too early", _COUNT)
            tag = self._line()[:1] or " "
            old -= tag in " -"
            new -= tag in " +"
            if tag not in " +-\\" or min(old, new) < 0:
                raise self.garbled(f"hunk {number} is not as long as its head says", _COUNT)
            self._go_on()
        hunk = Hunk.of(number, int(head[1]), self._lines[first : self._at])
        if not hunk.is_whole:
            raise self.garbled(f"hunk {number} goes on after its file's last line", _LAST)
        return hunk

    def _require_end(self) -> None:
        line = self._line()
        if line[:1] in (" ", "+", "-", "@") and line != _SIGNATURE and not self._is_header():
            raise self.garbled("a hunk goes on after its end", _COUNT)

    def _require_no_binary(self) -> None:
        if _BINARY.match(self._line()):
            raise self.garbled("a binary patch", "Write the file as a whole instead.")

    def garbled(self, what: str, hint: str) -> ToolError:
        """Return the error for the line and the file that the reader is at."""
        file = "" if not self._path else f" ('{self._path}')"
        return failed(f"Line {self._at + 1} of the patch: {what}{file}", hint, self._path or None)
