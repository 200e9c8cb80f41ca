"""One writer per workspace: a lock file each, freed by any death, in turn within a process.

What must hold: between a workspace's intent and its last rename nobody else looks for open intents
or changes anything there. The committer, recovery and settlement rely on it. The lock is the kernel's
(flock): it ends with the process, however that ends, and never has to be broken. It tells nobody who
is next; within a process that is told by a turn, which is taken first.

A file is removed only by who holds its lock; who takes the lock of a file that was removed a moment
ago holds nothing, and takes that of the file that is there now.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from common.errors import SystemFault
from common.processes.locking import try_lock
from execution_environment.threads import until_done
from execution_environment.transactions.turns import Turns

T = TypeVar("T")
InThread = Callable[..., Coroutine[Any, Any, Any]]
"""Does work in a thread, and returns what it returns."""
FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05
"""Seconds between two tries for a lock that another process holds."""


class WorkspaceLocks:
    """Exclusive among the threads of this process and among processes."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True, mode=0o700)
        self._directory = directory
        self._turns = Turns()

    @contextmanager
    def tried(self, workspace: str) -> Iterator[bool]:
        """Hold the lock of `<user>/<workspace>` if it is free and nobody here waits for it; tell whether
        it is held. Never waits; in a thread.
        """
        if not self._turns.take(workspace):
            yield False
            return
        try:
            with self._locked(workspace) as is_held:
                yield is_held
        finally:
            self._turns.give(workspace)

    async def exclusively(
        self, workspace: str, deadline: float, in_thread: InThread, work: Callable[[], T]
    ) -> T:
        """Do work, by way of `in_thread`, under the lock of `<user>/<workspace>`, once it is free.

        Raises `deadline_exceeded` when it stays taken (`deadline`: monotonic, in seconds). Work that
        has begun goes on to its end, and is waited for, also when its request is cancelled.
        """
        try:
            await self._turns.wait(workspace, deadline)
        except TimeoutError as error:
            raise _too_late() from error
        try:
            attempt = partial(in_thread, self._if_free, workspace, work)
            return await _repeated(attempt, deadline)
        finally:
            self._turns.give(workspace)

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Remove the lock files of workspaces that are gone and that nobody is busy with."""
        for name in os.listdir(self._directory):
            workspace = name.replace(".", "/")
            if is_gone(workspace):
                with self.tried(workspace) as is_held:
                    if is_held and is_gone(workspace):
                        (self._directory / name).unlink()

    def _if_free(self, workspace: str, work: Callable[[], T]) -> tuple[T] | None:
        """Do work under the lock; return what it returns, or None where another process holds it."""
        with self._locked(workspace) as is_held:
            return (work(),) if is_held else None

    @contextmanager
    def _locked(self, workspace: str) -> Iterator[bool]:
        """Hold the lock of the file that is there, if no other process does."""
        while True:
            descriptor = self._open(workspace)
            try:
                is_held = try_lock(descriptor)
                if not is_held or _is_there(descriptor):
                    yield is_held
                    return
            finally:
                os.close(descriptor)

    def _open(self, workspace: str) -> int:
        path = self._directory / workspace.replace("/", ".")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def _repeated(
    attempt: Callable[[], Coroutine[Any, Any, tuple[T] | None]], deadline: float
) -> T:
    """Try until there is an answer; raise `deadline_exceeded` when there is none until then."""
    pause = FIRST_PAUSE
    while True:
        answer = await until_done(attempt())
        if answer is not None:
            return answer[0]
        if time.monotonic() >= deadline:
            raise _too_late()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _is_there(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink > 0


def _too_late() -> SystemFault:
    return SystemFault(
        "deadline_exceeded",
        "Other calls kept the workspace busy until the deadline; nothing was changed",
        outcome="not_executed",
    )
