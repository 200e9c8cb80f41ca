"""The audit trail's writer: append-only lines, each chained to the one before by its hash.

One chain per process, in files that are rotated by size. A line that was changed, removed or put
in breaks the chain; a tail that was cut off shows against the head, which is logged at rotation
and at the end (`state/trail.py` reads and verifies).
"""

import errno
import hashlib
import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.logs import get_logger

GENESIS = "0" * 64
"""What the first line of a chain is chained to."""
MAX_FILE = 64 * 1024 * 1024
"""Bytes after which the next file begins."""
TAIL = 1024 * 1024
"""Bytes at a chain's end among which the record of its process's last change lies."""
SEAL = ',"hash":"'
"""Ends a line's content: the rest is the hash of what stands before."""

log = get_logger(__name__)


class Audit:
    """The chain of one process. Lines survive the process; only a crash of the host may cut it."""

    def __init__(self, directory: Path, process: str, max_file: int = MAX_FILE) -> None:
        directory.mkdir(exist_ok=True, mode=0o700)
        self._directory = directory
        self._chain = f"{time.time_ns() // 1_000_000:012x}-{process}"
        self._max_file = max_file
        self._lock = threading.Lock()
        self._seq = self._number = self._size = 0
        self._head = GENESIS
        self._descriptor = self._open()

    def mentions(self, process: str, call_id: str) -> bool:
        """Tell whether a process has a call on record, among the last that it wrote."""
        files = sorted(self._directory.glob(f"*-{process}.*.jsonl"))[-1:]
        wanted = f'"id":{json.dumps(call_id)}'.encode()
        return any(wanted in _tail(path) for path in files)

    def append(self, record: dict[str, Any]) -> None:
        """Write a record; on a full disk it goes to the log instead, whole."""
        with self._lock:
            try:
                self._write(record)
            except OSError as failure:
                if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                log.error("no space for the audit trail", record=record)  # noqa: TRY400

    def _write(self, record: dict[str, Any]) -> None:
        if self._size >= self._max_file:
            self._rotate()
        placed = {"seq": self._seq + 1, "time": _now(), "previous": self._head, **record}
        body = json.dumps(placed, separators=(",", ":"))[:-1]
        head = seal(body)
        line = f'{body}{SEAL}{head}"}}\n'.encode()
        if os.write(self._descriptor, line) < len(line):
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(line)
        self._seq, self._head = self._seq + 1, head

    def close(self) -> None:
        """End the chain and log its head."""
        with self._lock:
            self._log_head()
            os.close(self._descriptor)

    def _rotate(self) -> None:
        self._log_head()
        os.close(self._descriptor)
        self._number, self._size = self._number + 1, 0
        self._descriptor = self._open()

    def _open(self) -> int:
        path = self._directory / f"{self._chain}.{self._number:06d}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return os.open(path, flags, 0o600)

    def _log_head(self) -> None:
        log.info("audit head", chain=self._chain, seq=self._seq, head=self._head)


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL, 0))
        return file.read()


def seal(body: str) -> str:
    """Return the hash of a line's content."""
    return hashlib.sha256(body.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
