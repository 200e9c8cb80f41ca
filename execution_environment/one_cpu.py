"""Keeps the threads of a server process on one CPU, and has the kernel choose it anew every few seconds.

One thread computes at a time anyhow: the one that holds the interpreter's lock. With two CPUs each system
call, which gives the lock up, has a thread on the other one wake up and take it, and the caller wait until it
comes back: that costs a small call more than all that it computes (ADR 30). What is not
Python, and other processes, go on beside it on all CPUs.
"""

import asyncio
import ctypes
import os
import random
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from common.logs import get_logger
from common.processes.locking import try_lock

STAY = timedelta(seconds=5)
"""On one CPU; more or less, so that two services on the same one do not move together."""
CHOICE = timedelta(milliseconds=20)
"""On any: long enough for the kernel to put this thread where there is room."""
Place = Callable[[int, Collection[int]], None]

log = get_logger(__name__)
_libc = ctypes.CDLL(None)


def current_cpu() -> int:
    """Return the CPU that this thread is on."""
    return int(_libc.sched_getcpu())


class OneCpu:
    """One of the CPUs, claimed by a lock on a file: no other process of the service takes the same."""

    def __init__(
        self,
        claims: Path,
        cpus: Collection[int] | None = None,
        place: Place = os.sched_setaffinity,
        current: Callable[[], int] = current_cpu,
    ) -> None:
        """Choose among `cpus`, which the process was given to run on; `claims` is for the files."""
        self._claims = claims
        self._cpus = os.sched_getaffinity(0) if cpus is None else cpus
        self._set = place
        self._current = current
        self._claimed: int | None = None
        self._lock: int | None = None

    async def run(self, stay: timedelta = STAY, choice: timedelta = CHOICE) -> None:
        """Keep the threads together, the event loop's being this one, until cancelled."""
        if len(self._cpus) == 1:
            return
        is_told = False
        try:
            while True:
                try:
                    await self._choose(choice)
                except OSError as error:  # until next time they are where the kernel likes
                    if not is_told:
                        log.warning("threads are not kept on one CPU", error=error.strerror)
                    is_told = True
                await asyncio.sleep(stay.total_seconds() * random.uniform(0.75, 1.25))  # noqa: S311
        finally:
            self._let_go()

    async def _choose(self, choice: timedelta) -> None:
        self._place(self._cpus)
        await asyncio.sleep(choice.total_seconds())
        # locks are files, and a disk may hang; who is cancelled meanwhile ends, and the lock with it
        await asyncio.to_thread(self._claim, self._current())
        self._place(self._cpus if self._claimed is None else {self._claimed})

    def _claim(self, here: int) -> None:
        """Claim the CPU that the kernel has chosen; where another has it, stay, or take what is free."""
        self._claims.mkdir(exist_ok=True, mode=0o700)
        others = self._cpus if self._claimed is None else {self._claimed}
        for cpu in dict.fromkeys((here, *others)):
            if cpu == self._claimed or (cpu in self._cpus and self._has_claimed(cpu)):
                return

    def _has_claimed(self, cpu: int) -> bool:
        lock = os.open(self._claims / str(cpu), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            is_ours = try_lock(lock)
        except OSError:
            os.close(lock)
            raise
        if not is_ours:
            os.close(lock)
            return False
        if self._lock is not None:
            os.close(self._lock)
        self._claimed, self._lock = cpu, lock
        return True

    def _place(self, cpus: Collection[int], passed: type[OSError] = ProcessLookupError) -> None:
        """Have every thread run there; pass over one that has just ended."""
        for thread in threading.enumerate():
            if thread.native_id is not None:  # else it starts right now, where its starter is
                with suppress(passed):
                    self._set(thread.native_id, cpus)

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._place(self._cpus, OSError)
