"""Names in the headers of diffs, quoted as git does: a name must not read as a line of the diff.

Source: quote.c of git with `core.quotePath=false`; what is no printable character, or a space at
the end, is quoted too.
"""

import re

from common.files.paths import MAX_PATH, parse, show

MAX_QUOTED = 4 * (MAX_PATH + 2)
"""Characters of a name that are read: what is cut off here is too long whatever they mean."""
NOTHING = "/dev/null"
"""What a header names where there is no file."""
_ESCAPED = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
_BYTES = {letter.encode(): byte for byte, letter in _ESCAPED.items()}
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


def header(prefix: str, path: str) -> str:
    """Return a path, as clients write it, as a header has it, after git's `a/` or `b/`."""
    name = quoted(path, prefix)
    has_bare_spaces = " " in name and not name.startswith('"')
    # a tab says that the spaces belong to the name; no time follows it
    return f"{name}\t" if has_bare_spaces else name


def quoted(path: str, prefix: str = "") -> str:
    """Return a path, as clients write it, on one line."""
    name = prefix + b"/".join(parse(path)).decode(errors="surrogateescape")
    if name.isprintable() and not {'"', "\\"} & set(name) and not name.endswith(" "):
        return name
    return f'"{"".join(map(_escaped, name))}"'


def renaming(old_path: str, new_path: str) -> str:
    """Return what git writes above the hunks of a file that is renamed."""
    names = f"{quoted(old_path, 'a/')} {quoted(new_path, 'b/')}"
    return f"diff --git {names}\nrename from {quoted(old_path)}\nrename to {quoted(new_path)}\n"


def unquoted(written: str) -> str:
    """Return the path that a header names, as clients write it; others add a time after a tab."""
    written = written[:MAX_QUOTED]
    if written.startswith('"'):
        raw = written[1:].rpartition('"')[0].encode()
        return show(_ESCAPE.sub(_unescaped, raw))
    name, tab, _ = written.partition("\t")
    return show((name if tab else name.rstrip(" \r")).encode())


def _escaped(char: str) -> str:
    if ord(char) in _ESCAPED:
        return f"\\{_ESCAPED[ord(char)]}"
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode(errors="surrogateescape"))


def _unescaped(found: re.Match[bytes]) -> bytes:
    escape = found[1]
    if len(escape) == 3:
        return bytes([int(escape, 8) & 0xFF])
    return bytes([_BYTES[escape]]) if escape in _BYTES else escape
