"""What no call may reach: files with random content, and how it is told that one got out."""

import base64
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

SIZE = 70_001
"""Bytes of every file outside, and of none inside: a size can leak without the content."""
_SIZE = rb'|"size":\s*%d\b|(?i:content-(?:length|range)): [^\n]*\b%d\b' % (SIZE, SIZE)
FILES = ("canary.txt", "edited.txt", "deep/canary.txt")
"""The names that are attacked inside are here too; one more has a random name."""
MAX_SHOWN = 60


class Outside:
    """Trees that lie beside the workspaces under attack."""

    def __init__(self, *trees: Path) -> None:
        self._trees = trees
        signs = [sign for tree in trees for sign in _filled(tree)]
        self._sign = re.compile(b"|".join(signs) + _SIZE)

    def leak(self, data: bytes) -> str | None:
        """Return what of the outside is in the data: content, encoded or hashed, a name, a size."""
        found = self._sign.search(data)
        return None if found is None else found[0].decode()[:MAX_SHOWN]

    def facts(self) -> dict[str, tuple[object, ...]]:
        """Return all that can be known of every entry, by path: any change shows."""
        paths = [path for tree in self._trees for path in (tree, *tree.rglob("*"))]
        return {str(path): _facts(path) for path in paths}

    def leaks_in(self, directory: Path) -> list[str]:
        """Return the files below a directory that hold something of the outside."""
        own = {str(path) for tree in self._trees for path in (tree, *tree.rglob("*"))}
        found = [(folder, names) for folder, _, names in os.walk(directory) if folder not in own]
        paths = [Path(folder, name) for folder, names in found for name in names]
        files = [path for path in paths if stat.S_ISREG(path.lstat().st_mode)]
        return [str(path) for path in files if self.leak(path.read_bytes())]


def _filled(tree: Path) -> list[bytes]:
    """Put the canaries into a tree; return what would give them away."""
    signs = []
    name = secrets.token_hex(16)
    for relative in (*FILES, f"{name}.txt"):
        token = secrets.token_hex(16)
        path = tree / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"{token}\n".ljust(SIZE, ".").encode()
        path.write_bytes(content)
        encoded = base64.b64encode(content[:30])  # whole groups of three: the same in any length
        signs += [token.encode(), re.escape(encoded), hashlib.sha256(content).hexdigest().encode()]
    return [*signs, name.encode()]


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
    return (
        status.st_ino,
        oct(status.st_mode),
        status.st_nlink,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        hashlib.sha256(content).hexdigest(),
    )
