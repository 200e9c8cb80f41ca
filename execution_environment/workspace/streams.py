"""Files that go out or come in piece by piece, each held by one descriptor."""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from common.errors import SystemFault
from execution_environment.sandbox.descriptors import PERMISSIONS, READ, opened, write_all
from execution_environment.sandbox.limits import CallLimits, QuotaMeter
from execution_environment.sandbox.renames import Rename
from execution_environment.sandbox.staging import Staging

_EARLIEST = datetime.min.replace(tzinfo=UTC).timestamp()
_LATEST = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()


class OutgoingFile:
    """A file that was opened for reading. Its length is what it was then, whatever happens to it."""

    def __init__(self, descriptor: int, status: os.stat_result, limits: CallLimits) -> None:
        self._descriptor: int | None = descriptor
        self._limits = limits
        self.status = status

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly so many bytes; raise when the file has become shorter meanwhile."""
        assert self._descriptor is not None  # noqa: S101  # not closed yet
        self._limits.check_deadline()
        data = os.pread(self._descriptor, size, offset)
        if len(data) < size:
            raise SystemFault("internal", "The file became shorter while it was sent")
        return data

    def status_now(self) -> os.stat_result:
        """Return the status that the file has now; `status` is the one that it was opened with."""
        assert self._descriptor is not None  # noqa: S101  # not closed yet
        return os.fstat(self._descriptor)

    @property
    def seconds_left(self) -> float:
        """How long it may still be sent; 0 when its deadline has passed."""
        return max(self._limits.deadline - time.monotonic(), 0.0)

    def close(self) -> None:
        """Close it; once is enough."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Written(NamedTuple):
    """What a rename leaves as it is; `size` in bytes, `modified` in nanoseconds."""

    inode: int
    size: int
    modified: int


class IncomingFile:
    """A new file in staging that is written as it comes, within the quota.

    A request that is cut off leaves its last piece to a thread: what is written and what closes
    take turns, since a descriptor's number is soon another file's.
    """

    # An archive has as many as it has files, all until it is over.
    __slots__ = (
        "_descriptor", "_digest", "_durable", "_lock", "_meter", "_staging", "is_kept", "name",
        "sha256", "size", "written",
    )  # fmt: skip

    sha256: str
    """Hash of what has come, in hex, once it is finished."""
    written: Written
    """As it was then, before it got its mode and its place."""

    def __init__(self, staging: Staging, meter: QuotaMeter, *, durable: bool = True) -> None:
        self._durable = durable
        self.name = staging.new_name()
        self._staging = staging
        self._meter = meter
        self._descriptor: int | None = staging.create(self.name)
        self._lock = threading.Lock()
        self._digest = hashlib.sha256()
        self.is_kept = True
        """Whether what comes is written; else it is only hashed."""
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write what has come; raise `quota_exceeded` when there is no room for it."""
        with self._lock:
            assert self._descriptor is not None  # noqa: S101  # not finished yet
            self._digest.update(data)
            self.size += len(data)
            if self.is_kept:
                self._meter.add(len(data))
                write_all(self._descriptor, data)

    def finish(self) -> None:
        """Have it all on the disk, unless it need not be durable yet."""
        is_synced = self.is_kept and self._durable
        with self._lock:
            assert self._descriptor is not None  # noqa: S101  # finished once
            status = os.fstat(self._descriptor)
            self.written = Written(status.st_ino, status.st_size, status.st_mtime_ns)
            self.sha256 = self._digest.hexdigest()
            del self._digest
            if is_synced:
                os.fsync(self._descriptor)
        self.close()
        if is_synced:
            self._staging.sync()

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Open what has come, once it is finished, for reading."""
        with opened(self._staging.descriptor, (self.name,), READ) as descriptor:
            yield descriptor

    def set_mode(self, mode: int) -> None:
        """Give the file the mode that it shall have in its place."""
        self._staging.change_mode(self.name, stat.S_IMODE(mode) & PERMISSIONS)

    def close(self) -> None:
        """Close it, however far it has come; once is enough."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class ReceivedFiles:
    """The files that one call takes in: each in staging until it is put in its place, or removed."""

    def __init__(self, staging: Staging, meter: QuotaMeter, *, durable: bool) -> None:
        self._staging = staging
        self._meter = meter
        self._durable = durable
        self._files: dict[bytes, IncomingFile] = {}

    def begin(self) -> IncomingFile:
        """Begin to take in a file."""
        incoming = IncomingFile(self._staging, self._meter, durable=self._durable)
        self._files[incoming.name] = incoming
        return incoming

    def __contains__(self, name: object) -> bool:
        """Tell whether a staged entry is one of them."""
        return name in self._files

    def unplaced(self, renames: Iterable[Rename]) -> list[bytes]:
        """Return the names of those that no step puts in a place."""
        placed = {rename.source.leaf for rename in renames}
        return [name for name in self._files if name not in placed]

    def close(self) -> None:
        """Close them, however far they have come, and forget them."""
        for incoming in self._files.values():
            incoming.close()
        self._files.clear()


def etag_of(status: os.stat_result) -> str:
    """Return a strong entity tag: rewriting a file, even in place, gives it another."""
    return f'"{status.st_ino:x}-{status.st_size:x}-{status.st_ctime_ns:x}"'


def modified_at(status: os.stat_result) -> datetime:
    """Return when a file was last modified; a file may say that it was in a year without a date."""
    return datetime.fromtimestamp(min(max(status.st_mtime, _EARLIEST), _LATEST), UTC)
