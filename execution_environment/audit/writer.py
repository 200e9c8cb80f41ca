"""The audit trail's writer: append-only lines, each chained to the one before by its hash.

One chain per process, in files that are rotated by size. A line that was changed, removed or put
in breaks the chain. A tail that was cut off, or a chain that is gone, shows against the heads that
the ledger keeps: it is told of each chain before its first line, then with every change, at
rotation, every minute and at the end (`reader.py` and `verifier.py` read).
"""

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import AgenticError
from common.logs import get_logger
from execution_environment.audit import reader
from execution_environment.audit.chain import SEAL, Head, seal
from execution_environment.audit.records import spared

MAX_FILE = 64 * 1024 * 1024
"""Bytes after which the next file begins."""

log = get_logger(__name__)


def nobody(_head: Head) -> None:
    """Tell nobody."""


class AuditWriter:
    """The chain of one process. Lines survive the process; only a crash of the host may cut it."""

    def __init__(
        self,
        directory: Path,
        process: str,
        max_file: int = MAX_FILE,
        tell: Callable[[Head], None] = nobody,
    ) -> None:
        """Begin a chain; `tell` is told of heads that are worth remembering elsewhere."""
        directory.mkdir(exist_ok=True, mode=0o700)
        self.directory = directory
        self._chain = f"{time.time_ns() // 1_000_000:012x}-{process}"
        self._max_file = max_file
        self._tell = tell
        # Held while the ledger is written to, at rotation: never taken inside its transactions.
        self._lock = threading.Lock()
        self._number = self._size = 0
        self._told = self._head = Head(self._chain)
        self._time = _now()
        self._tell_if_possible()
        self._descriptor = self._open(self._number)

    @property
    def head(self) -> Head:
        """The last line that was written."""
        with self._lock:
            return self._head

    def holds(self, position: str | None, call_id: str) -> bool:
        """Tell whether a call that has taken effect has its entry, after a position of a chain."""
        return position is not None and reader.holds(self.directory, position, call_id)

    def append(self, entry: dict[str, Any]) -> None:
        """Write an entry; on a full disk it goes to the log instead, whole."""
        with self._lock:
            try:
                self._write(entry)
            except OSError as failure:
                if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                log.error("no space for the audit trail", record=entry)  # noqa: TRY400

    def _write(self, entry: dict[str, Any]) -> None:
        if self._size >= self._max_file:
            self._rotate()
        self._time = max(self._time, _now())  # entries are found by time: it never goes back
        previous = self._head
        placed: dict[str, Any] = {
            "seq": previous.seq + 1,
            "time": self._time,
            "previous": previous.hash,
        }
        placed |= spared(entry)
        body = json.dumps(placed, separators=(",", ":"))[:-1]
        digest = seal(body)
        line = f'{body}{SEAL}{digest}"}}\n'.encode()
        if os.write(self._descriptor, line) < len(line):
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(line)
        self._head = Head(self._chain, previous.seq + 1, digest)

    def tell_head(self) -> None:
        """Have the head remembered, if there is a new one."""
        head = self.head
        if head != self._told:
            self._tell(head)
            self._told = head

    def close(self) -> None:
        """End the chain, and have its head remembered."""
        with self._lock:
            self._end_file(self._descriptor)

    def _rotate(self) -> None:
        """Go on in a new file; where there can be none the old one grows, until there can."""
        try:
            descriptor = self._open(self._number + 1)
        except OSError as failure:
            log.warning("the audit trail cannot begin its next file", error=failure.strerror)
            return
        ended, self._descriptor = self._descriptor, descriptor
        self._number, self._size = self._number + 1, 0
        self._end_file(ended)

    def _end_file(self, descriptor: int) -> None:
        try:
            log.info("audit head", chain=self._chain, seq=self._head.seq, head=self._head.hash)
            self._tell_if_possible()
        finally:
            os.close(descriptor)

    def _tell_if_possible(self) -> None:
        try:
            self._tell(self._head)
        except AgenticError as failure:  # no room: the next head covers this one
            log.warning("the audit head could not be noted", detail=failure.detail)

    def _open(self, number: int) -> int:
        path = self.directory / f"{self._chain}.{number:06d}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return os.open(path, flags, 0o600)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
