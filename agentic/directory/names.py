"""Names of files: how a path is written on the wire, and which may not come here or go from here.

A name is bytes to the kernel. What is not printable UTF-8 is shown as `\\xNN`, a backslash as
`\\\\`: the services write paths so, and so does everything in this room.
"""

import os
import re
import secrets
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Set
from functools import lru_cache

from agentic.directory.faults import refusal

Parts = tuple[bytes, ...]
MAX_PATH = 4095
MAX_NAME = 255
"""Bytes."""
_STAGED = re.compile(rb"\.agentic-[0-9a-f]{16}e?[\x80-\xff]*\.tmp")
"""With a mark beyond ASCII in it, in either normal form, where spellings are tried."""
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|\\)")
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Characters that HFS+ passes over when it compares names (Apple TN1150; git's utf8.c)."""
_GIT = re.compile(r"\.git|git~[0-9]+")
"""The repository's directory, and the short names that NTFS and FAT may give it."""
SIGNS = {"head": b"HEAD", "objects": b"objects", "refs": b"refs", "commondir": b"commondir"}
"""What tells git that a directory is a repository: folded, and as git spells it."""
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.DOTALL
)
"""Devices, with any extension (Microsoft, "Naming Files, Paths, and Namespaces")."""
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_UNWRITABLE = re.compile(r'[<>:"|?*\\\x00-\x1f]')


def shown(parts: Parts) -> str:
    """Return the path of these components as the services write it, `.` for the directory itself."""
    text = b"/".join(parts).replace(b"\\", b"\\\\").decode(errors="surrogateescape")
    return (text if text.isprintable() else "".join(map(_visible, text))) or "."


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogateescape"))


def parsed(path: str) -> Parts:
    """Return the components of a file's path; raise `upstream_failed` for what leads elsewhere.

    A server that is hostile or broken may name `/etc/passwd`, `../x`, `a//b` or an empty path.
    """
    try:
        raw = _bytes_of(path)
    except UnicodeEncodeError:
        raise refusal("upstream_failed", "A path of the answer is not valid Unicode") from None
    parts = tuple(raw.split(b"/"))
    if b"\0" in raw or len(raw) > MAX_PATH or not all(map(is_plain, parts)):
        raise refusal(
            "upstream_failed", f"The answer names '{path[:200]}', which is no file's path"
        )
    return parts


def _bytes_of(path: str) -> bytes:
    return _ESCAPE.sub(_unescaped, path.encode())


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else b"\\"


def is_plain(part: bytes) -> bool:
    """Tell whether a name is one of something within its directory."""
    return part not in (b"", b".", b"..") and len(part) <= MAX_NAME


def plain(path: str) -> str:
    """Return a path as this side writes it: which characters are printable differs by version.

    Raises `upstream_failed` for what leads elsewhere, or could never be sent.
    """
    written = shown(parsed(path))
    if len(written) > MAX_PATH:
        raise refusal(
            "upstream_failed", f"The answer names a path that is too long: '{path[:200]}'"
        )
    return written


def signs(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return by directory what files tell git that it is a repository; all of it folded."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        names = folded(path).split("/")
        for depth, name in enumerate(names):
            if name in SIGNS:
                found["/".join(names[:depth])].add(name)
    return found


def is_repository(seen: Set[str]) -> bool:
    """Tell whether git would take a directory with these signs for a repository, however it is called.

    It looks into any directory that it is run in (gitrepository-layout(5)), reads a `config` there,
    and runs the programs that this names.
    """
    return "head" in seen and ("commondir" in seen or {"objects", "refs"} <= seen)


def staged_name(mark: bytes = b"") -> bytes:
    """Return a fresh name for a file that is not complete."""
    return b".agentic-" + secrets.token_hex(8).encode() + mark + b".tmp"


def is_staged(name: bytes) -> bool:
    """Tell whether a name is of something incomplete, by us: it is never sent."""
    return _STAGED.fullmatch(name) is not None


def is_forbidden(path: str, *, is_windows: bool = os.name == "nt") -> str | None:
    """Return why a path may neither be sent nor written nor deleted; None where it may.

    A `.git`, however it is spelt and wherever it lies, is the machine's own: a hook in it would
    be run by the next command of git.
    """
    parts = _bytes_of(path).split(b"/")
    if any(map(_is_git, parts)):
        return "it lies in a repository's .git"
    if is_windows:
        return next(filter(None, map(_windows_reason, parts)), None)
    return None


def is_barred(path: str) -> bool:
    """Tell whether a new file of a workspace never comes here: also one whose name has control characters.

    That would lie to a terminal or a script.
    """
    return is_forbidden(path) is not None or _CONTROL.search(_bytes_of(path)) is not None


@lru_cache(maxsize=16384)  # a tree has the same names over and over
def _is_git(part: bytes) -> bool:
    text = _IGNORED.sub("", part.decode(errors="surrogateescape")).casefold()
    pieces = (piece.partition(":")[0].rstrip(" .") for piece in text.split("\\"))
    return any(_GIT.fullmatch(piece) for piece in pieces)


def _windows_reason(part: bytes) -> str | None:
    text = part.decode(errors="surrogateescape")
    if _RESERVED.fullmatch(text.casefold()):
        return "Windows reserves the name for a device"
    if _UNWRITABLE.search(text):
        return "Windows allows no such character in a name"
    return "Windows drops the dot or space at its end" if text[-1] in ". " else None


def collisions(paths: Iterable[str]) -> list[list[str]]:
    """Return the sets of paths (of directories, too) that differ by case or normal form only.

    Where the file system does not tell them apart, one would be written over the other.
    """
    spellings: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for above in _with_parents(path):
            spellings[folded(above)].add(above)
    return sorted(sorted(same) for same in spellings.values() if len(same) > 1)


def _with_parents(path: str) -> Iterable[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def folded(path: str) -> str:
    """Return a path as every spelling of it becomes that differs by case or normal form only."""
    return path if path.isascii() and path.islower() else _canonical(path)


def _canonical(path: str) -> str:
    """Fold as Unicode's canonical caseless matching does (D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
