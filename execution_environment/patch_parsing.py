"""Reads unified diffs over several files, as git, diff and language models write them."""

import re
from collections.abc import Iterator

from execution_environment.patches import FilePatch, Hunk, failed
from execution_environment.sandbox.names import show

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPED = {b"n": 10, b"t": 9, b"r": 13, b"a": 7, b"b": 8, b"f": 12, b"v": 11}
_SURROGATE = re.compile("[\ud800-\udfff]")
_FACTS = ("rename from ", "rename to ", "new file", "deleted file")
_NOTHING = "/dev/null"
_SIGNATURE = "-- "
"""What git ends a mail with."""


def parse(patch: str) -> list[FilePatch]:
    """Return what happens to each file, in order; raise `patch_failed` for what is no patch."""
    if _SURROGATE.search(patch):
        raise failed("The patch is not valid Unicode", "Give it in UTF-8.")
    if "\r\n" in patch and patch.count("\r\n") == patch.count("\n"):
        patch = patch.replace("\r\n", "\n")
    files = list(_Reader(patch.removesuffix("\n").split("\n")).files())
    if not files:
        raise failed("The patch names no file", "Give a unified diff with '---' and '+++' lines.")
    seen: set[str] = set()
    for file in files:
        paths = {path for path in (file.old_path, file.new_path) if path is not None}
        if paths & seen:
            raise failed(
                f"'{file.path}' is in the patch twice", "Put its hunks together.", file.path
            )
        seen |= paths
    return files


class _Reader:
    """Goes through the lines once."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def files(self) -> Iterator[FilePatch]:
        """Yield the files; what stands before and between them is passed over."""
        while self._at < len(self._lines):
            if self._line().startswith("diff --git "):
                yield from self._git_file()
            elif self._is_header():
                yield self._file()
            elif _HUNK.match(self._line()):
                raise self._garbled("a hunk without a file", "Begin with '---' and '+++' lines.")
            else:
                self._at += 1

    def _line(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _is_header(self) -> bool:
        following = self._lines[self._at + 1 : self._at + 2]
        return (
            self._line().startswith("--- ")
            and following[:1] != []
            and following[0].startswith("+++ ")
        )

    def _git_file(self) -> Iterator[FilePatch]:
        """Read git's own lines about a file: they matter where there are no others."""
        head = self._line()
        facts = self._git_facts()
        if self._is_header():
            yield self._file()
        elif "rename from " in facts and "rename to " in facts:
            yield FilePatch(_unquoted(facts["rename from "]), _unquoted(facts["rename to "]), ())
        else:
            yield self._empty(head, facts)

    def _git_facts(self) -> dict[str, str]:
        facts: dict[str, str] = {}
        self._at += 1
        while self._at < len(self._lines) and not self._is_header():
            line = self._line()
            if line.startswith(("diff --git ", "@@ ")):
                break
            if line.startswith(("Binary files ", "GIT binary patch")):
                raise self._garbled("a binary patch", "Write the file as a whole instead.")
            facts |= {fact: line.removeprefix(fact) for fact in _FACTS if line.startswith(fact)}
            self._at += 1
        return facts

    def _empty(self, head: str, facts: dict[str, str]) -> FilePatch:
        found = re.fullmatch(r"diff --git (a/.+) (b/.+)", head)
        if found is not None and "new file" in facts:
            return FilePatch(None, found[2][2:], ())
        if found is not None and "deleted file" in facts:
            return FilePatch(found[1][2:], None, ())
        raise self._garbled("a file without hunks", "Modes cannot be changed by a patch.")

    def _file(self) -> FilePatch:
        old = _unquoted(self._line()[4:])
        new = _unquoted(self._lines[self._at + 1][4:])
        self._at += 2
        old_path, new_path = _stripped(old, new)
        if old_path is None and new_path is None:
            raise self._garbled("a file without a path", "One of the two lines names the file.")
        hunks: list[Hunk] = []
        while match := _HUNK.match(self._line()):
            hunks.append(self._hunk(len(hunks) + 1, match))
        if not hunks:
            raise self._garbled("a file without hunks", "A hunk begins with '@@ -1,2 +1,3 @@'.")
        self._require_end()
        return FilePatch(old_path, new_path, tuple(hunks))

    def _hunk(self, number: int, head: re.Match[str]) -> Hunk:
        self._at += 1
        old_count, new_count = (1 if count is None else int(count) for count in (head[2], head[4]))
        old: list[str] = []
        new: list[str] = []
        while len(old) < old_count or len(new) < new_count or self._line().startswith("\\"):
            if self._at >= len(self._lines):
                raise self._garbled(f"hunk {number} ends too early", _COUNT)
            tag, line = self._line()[:1] or " ", self._line()[1:] + "\n"
            if tag == "\\":
                _cut_newlines(self._lines[self._at - 1][:1], old, new)
            elif tag in " +-":
                old += [line] if tag != "+" else []
                new += [line] if tag != "-" else []
            if tag not in " +-\\" or len(old) > old_count or len(new) > new_count:
                raise self._garbled(f"hunk {number} is not as long as its head says", _COUNT)
            self._at += 1
        return Hunk(number, int(head[1]), tuple(old), tuple(new))

    def _require_end(self) -> None:
        line = self._line()
        if line[:1] in (" ", "+", "-", "@") and line != _SIGNATURE and not self._is_header():
            raise self._garbled("a hunk goes on after its end", _COUNT)

    def _garbled(self, what: str, hint: str) -> Exception:
        return failed(f"Line {self._at + 1} of the patch: {what}", hint)


_COUNT = "Count the lines: '@@ -old_start,old_lines +new_start,new_lines @@'."


def _cut_newlines(tag: str, old: list[str], new: list[str]) -> None:
    """Take the newline from the last line, which the file does not end with."""
    for side, tags in ((old, " -"), (new, " +")):
        if tag in tags and side:
            side[-1] = side[-1].removesuffix("\n")


def _stripped(old: str, new: str) -> tuple[str | None, str | None]:
    """Return the paths without git's `a/` and `b/`, where both sides have them."""
    has_prefixes = old.startswith(("a/", _NOTHING)) and new.startswith(("b/", _NOTHING))
    names = [
        None if path == _NOTHING else path[2:] if has_prefixes else path for path in (old, new)
    ]
    return names[0], names[1]


def _unquoted(path: str) -> str:
    """Return a path as our tools write it; git quotes what is not plain, others add a time."""
    path = path.partition("\t")[0].rstrip(" ") if not path.startswith('"') else path
    if not path.startswith('"'):
        return show(path.encode())
    raw = path[1:].rpartition('"')[0].encode()
    return show(_ESCAPE.sub(_unescaped, raw))


def _unescaped(found: re.Match[bytes]) -> bytes:
    escape = found[1]
    if len(escape) == 3:
        return bytes([int(escape, 8) & 0xFF])
    return bytes([_ESCAPED[escape]]) if escape in _ESCAPED else escape
