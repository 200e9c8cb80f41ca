"""The audit trail's files: which there are, how a line is sealed, a chain's lines from anywhere on."""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

Key = Callable[[bytes], Any]
"""What a line is found by; it grows from each line of a chain to the next."""
GENESIS = "0" * 64
"""What the first line of a chain is chained to."""
SEAL = ',"hash":"'
"""Ends a line's content: the rest is the hash of what stands before."""
TAIL = 64 * 1024
"""Bytes that are looked at first for a file's last line."""


@dataclass(frozen=True)
class Head:
    """A line of a chain, by number and hash; number 0 stands before the first."""

    chain: str
    seq: int = 0
    hash: str = GENESIS

    @property
    def position(self) -> str:
        """How an intent names the line after which its audit entry will be: `chain:n`."""
        return f"{self.chain}:{self.seq}"


@dataclass(frozen=True)
class Chain:
    """How far a chain has come at least, and up to which line its files were removed as too old."""

    head: Head
    removed: Head


def seal(body: str) -> str:
    """Return the hash of a line's content."""
    return hashlib.sha256(body.encode()).hexdigest()


def chains_in(directory: Path) -> list[tuple[str, list[Path]]]:
    """Return each chain with its files, in order."""
    paths = sorted(directory.glob("*.jsonl"))
    return [(chain, list(files)) for chain, files in groupby(paths, key=chain_of)]


def chain_of(path: Path) -> str:
    """Return the chain that a file belongs to."""
    return path.name.partition(".")[0]


def seq_of(line: bytes) -> int:
    """Return a line's number in its chain."""
    return int(json.loads(line)["seq"])


def lines_after(files: list[Path], key: Key, after: Any) -> Iterator[bytes]:
    """Yield a chain's whole lines whose key is beyond `after`, without reading what is before.

    A live process may be about to finish its last line: that one is left out. Files that are
    removed as too old meanwhile are too.
    """
    with suppress(FileNotFoundError):
        last = _last_line(files[-1]) if files else b""
        if last and key(last) <= after:
            return
    begun = bisect_right(files, (1, after), key=lambda path: _first(path, key))
    for path in files[max(begun - 1, 0) :]:
        with suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(_offset_after(file, key, after))
            yield from (line for line in file if line.endswith(b"\n"))


def _first(path: Path, key: Key) -> tuple[int, Any]:
    """Return what a file begins with; one that is gone sorts first, an empty one, the newest, last."""
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return 0, None
    return (1, key(line)) if line.endswith(b"\n") else (2, None)


def _offset_after(file: BinaryIO, key: Key, after: Any) -> int:
    """Return where the first line beyond `after` begins, or the end."""
    low, high = 0, file.seek(0, 2)  # lines that begin before `low` are not wanted
    while low < high:
        middle = (low + high) // 2
        file.seek(max(middle - 1, 0))
        if middle > 0:
            file.readline()
        line = file.readline()
        if not line.endswith(b"\n") or key(line) > after:
            high = middle
        else:
            low = file.tell()
    return low


def last_head(path: Path) -> Head | None:
    """Return what a file ends with, None when it has no whole line.

    Raises ValueError for a line that is damaged.
    """
    line = _last_line(path)
    if not line:
        return None
    record = json.loads(line)
    if not isinstance(record, dict) or not {"seq", "hash"} <= record.keys():
        raise ValueError(f"{path.name}: the last line is no record")
    return Head(chain_of(path), record["seq"], record["hash"])


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        reach = TAIL
        while True:
            file.seek(max(size - reach, 0))
            lines = file.read(reach).rpartition(b"\n")[0].split(b"\n")
            if len(lines) > 1 or reach >= size:
                return lines[-1]
            reach *= 2
