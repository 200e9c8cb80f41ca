"""Reading files: one pass in chunks gives the data and the hash."""

import hashlib
import os
import stat
from dataclasses import dataclass

from execution_environment.sandbox.descriptors import PERMISSIONS, Identity, chunks, identity
from execution_environment.sandbox.limits import CallLimits


@dataclass(frozen=True)
class Snapshot:
    """A file as it was read. `data` is None when the file is larger than was asked for."""

    identity: Identity
    mode: int
    size: int
    sha256: str
    data: bytes | None


def take_snapshot(
    descriptor: int, status: os.stat_result, limits: CallLimits, max_data: int
) -> Snapshot:
    """Read a file to its end; keep its data when that is at most `max_data` bytes."""
    digest, data, size = hashlib.sha256(), bytearray(), 0
    for chunk in chunks(descriptor, limits):
        digest.update(chunk)
        size += len(chunk)
        data += chunk[: max(max_data + 1 - len(data), 0)]
    return Snapshot(
        identity=identity(status),
        mode=stat.S_IMODE(status.st_mode) & PERMISSIONS,
        size=size,
        sha256=digest.hexdigest(),
        data=bytes(data) if size <= max_data else None,
    )
