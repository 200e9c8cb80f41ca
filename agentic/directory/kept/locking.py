"""Locks that one command holds: on every system that it runs on, and never for ever in vain."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path

from agentic.directory.faults import refusal, told_of

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: FileIO) -> bool:
        """Take the file's exclusive lock without waiting; tell whether it is ours."""
        file.seek(2**30)  # beyond what is written: a locked byte cannot be read by others
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    from common.processes.locking import try_lock

PAUSE = 0.1
"""Seconds between two looks at a lock that another command holds."""


@asynccontextmanager
async def held(path: Path, patience: float) -> AsyncIterator[None]:
    """Hold the lock of a file, which tells others the process.

    Raises `invalid_state` where another command holds it for longer than `patience` seconds.
    """
    with told_of(str(path)):
        file = path.open("ab+", buffering=0)
    with file:
        deadline = time.monotonic() + patience
        while not try_lock(file):
            if time.monotonic() > deadline:
                raise refusal(
                    "invalid_state", f"Another command works on this directory{_holder(file)}"
                )
            await asyncio.sleep(PAUSE)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        yield


def _holder(file: FileIO) -> str:
    file.seek(0)
    pid = file.read(20)
    return f" (process {pid.decode()})" if pid.isdigit() else ""
