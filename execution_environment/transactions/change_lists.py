"""Lists beside the ledger: what a change of many files does, which is too much for a row.

Each list is a file named by the SHA-256 of its content: the receipts, one JSON object a line, an empty
line, and the steps, alike. It is on the disk before an intent names it, and never changes.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from common.errors import ClientError
from common.tools import Receipt
from execution_environment.sandbox.renames import RENAME, Rename

GRACE = timedelta(days=1)
"""How long a list that nothing names is kept: it may be about to be named."""
_EMPTY = b"\n"


class DamagedList(Exception):  # reads as the state it is
    """A list is not there, or holds something else than its name says; the message says so."""


class ChangeLists:
    """Those of all processes of a data directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True, mode=0o700)
        self._directory = directory

    def write(self, renames: Iterable[Rename], receipts: Iterable[Receipt]) -> str:
        """Write a list, durably; return its name. Raises OSError, and leaves nothing then."""
        staged = self._directory / f".{secrets.token_hex(8)}"
        try:
            name = _write(staged, _lines(renames, receipts))
            staged.rename(self._directory / name)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        _sync(self._directory)
        return name

    def renames(self, name: str) -> list[Rename]:
        """Return a list's steps, in order; raise DamagedList where they are lost."""
        digest, renames, lines = hashlib.sha256(), [], self._read(name, 0)
        for line in lines:
            digest.update(line)
            if line == _EMPTY:
                break
        for line in lines:
            digest.update(line)
            renames.append(line)
        if digest.hexdigest() != name:
            raise _damaged(name)
        return [RENAME.validate_json(line) for line in renames]

    def receipts(
        self, name: str, cursor: str | None, limit: int
    ) -> tuple[list[Receipt], str | None]:
        """Return so many receipts after a cursor, and the cursor after them; None at the end.

        Raises `invalid_arguments` for a cursor that no page has given, DamagedList without a list.
        """
        position = _position(cursor)
        found: list[Receipt] = []
        for line in self._read(name, position):
            if line == _EMPTY:
                return found, None
            if len(found) == limit:
                return found, str(position)
            found.append(_receipt(line))
            position += len(line)
        if cursor is None:
            raise _damaged(name)
        raise _unknown_cursor()

    def forget(self, is_named: Callable[[str], bool], grace: timedelta = GRACE) -> None:
        """Remove the lists that nothing names, and that are too old to be about to be named."""
        before = time.time() - grace.total_seconds()
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):  # another process was quicker
                if path.stat().st_mtime < before and not is_named(path.name):
                    path.unlink()

    def _read(self, name: str, position: int) -> Iterator[bytes]:
        """Yield the lines from a position on, as `_seek` wants it."""
        try:
            with (self._directory / name).open("rb") as file:
                if position > 0:
                    _seek(file, position)
                yield from file
        except FileNotFoundError as error:
            raise DamagedList(f"the list {name} is not there") from error


def _lines(renames: Iterable[Rename], receipts: Iterable[Receipt]) -> Iterator[bytes]:
    yield from (receipt.model_dump_json().encode() + b"\n" for receipt in receipts)
    yield _EMPTY
    yield from (RENAME.dump_json(rename) + b"\n" for rename in renames)


def _write(path: Path, lines: Iterable[bytes]) -> str:
    """Write a file, durably; return the hash of its content."""
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for line in lines:
            digest.update(line)
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seek(file: BinaryIO, position: int) -> None:
    """Go on at a position, which a line has to end before."""
    if position <= os.fstat(file.fileno()).st_size:
        file.seek(position - 1)
        if file.read(1) == _EMPTY:
            return
    raise _unknown_cursor()


def _position(cursor: str | None) -> int:
    """Return the byte that a cursor names."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise _unknown_cursor()
    return int(cursor)


def _receipt(line: bytes) -> Receipt:
    try:
        return Receipt.model_validate_json(line)
    except ValidationError as error:  # a step: the cursor led past the receipts
        raise _unknown_cursor() from error


def _damaged(name: str) -> DamagedList:
    return DamagedList(f"the list {name} holds something else than its name says")


def _unknown_cursor() -> ClientError:
    return ClientError("invalid_request", "No page has given this cursor")
