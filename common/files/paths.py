"""Paths as clients write them and names as the kernel keeps them.

A name is bytes to the kernel. What is not printable UTF-8 is shown as `\\xNN`, a backslash as
`\\\\`, and the shown form given back means the same bytes.
"""

import re

from common.errors import ToolError

MAX_PATH = 4095
MAX_NAME = 255
"""Bytes: what Linux allows (PATH_MAX without its NUL, NAME_MAX)."""

Parts = tuple[bytes, ...]
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|\\)")


def parse(path: str) -> Parts:
    """Return the components of a path within the workspace, `()` for the workspace itself.

    Raises `path_not_allowed` for everything that could lead out or means something else to the
    kernel than to the reader: absolute paths, `..`, NUL, overlong names, lone surrogates.
    """
    try:
        raw = unescaped(path)
    except UnicodeEncodeError as error:
        raise _refused("(not text)", "it is not valid Unicode") from error
    if not raw:
        raise _refused(show(raw), "it is empty; '.' is the workspace")
    if raw.startswith(b"/"):
        raise _refused(show(raw[:MAX_PATH]), "it is absolute")
    if b"\0" in raw:
        raise _refused(show(raw[:MAX_PATH]), "it contains NUL")
    if len(raw) > MAX_PATH:
        raise _refused(_shortened(raw), f"it is longer than {MAX_PATH} bytes", "ENAMETOOLONG")
    return _components(raw)


def _components(raw: bytes) -> Parts:
    parts = tuple(part for part in raw.split(b"/") if part not in (b"", b"."))
    if b".." in parts:
        raise _refused(show(raw), "it contains '..'")
    if any(len(part) > MAX_NAME for part in parts):
        reason = f"one of its names is longer than {MAX_NAME} bytes"
        raise _refused(_shortened(raw), reason, "ENAMETOOLONG")
    return parts


def unescaped(shown: str) -> bytes:
    """Return the bytes of a name, or a path, as it is shown; raise UnicodeEncodeError for what is no text."""
    return _ESCAPE.sub(_unescaped, shown.encode())


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else b"\\"


def _shortened(raw: bytes) -> str:
    return show(raw[:MAX_PATH])[:80] + "…"


def show(name: bytes) -> str:
    """Return a name, or a path, as text that is safe to print and can be given back."""
    text = name.replace(b"\\", b"\\\\").decode(errors="surrogateescape")
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogateescape"))


def show_path(parts: Parts) -> str:
    """Return the path of these components, `.` for the workspace itself."""
    return show(b"/".join(parts)) or "."


def plain(path: str) -> str:
    """Return the one way to write a path; raise as `parse` does."""
    return show_path(parse(path))


def _refused(path: str, reason: str, errno_name: str | None = None) -> ToolError:
    return ToolError(
        "path_not_allowed", f"'{path}' is not allowed: {reason}", path=path, errno=errno_name
    )
