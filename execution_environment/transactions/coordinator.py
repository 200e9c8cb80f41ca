"""Begins a transaction, waits for its workspace's lock, commits it, and clears up after it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from common.tools import ToolResult
from execution_environment.threads import ThreadPool
from execution_environment.transactions.committer import Committer
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.transaction import Transaction

T = TypeVar("T")


class Coordinator:
    """Waits for locks on the event loop, where waiting holds no thread; all else is in a thread."""

    def __init__(self, locks: WorkspaceLocks, committer: Committer, threads: ThreadPool) -> None:
        self._locks = locks
        self._committer = committer
        self._threads = threads

    def begin(self, transaction: Transaction) -> ToolResult | None:
        """Stage a transaction, in a thread; return its result when it has happened before.

        Without a result, and without an error, `commit` has to follow.
        """
        try:
            stored = self._committer.begin(transaction)
        except BaseException:
            transaction.change.cleanup()
            raise
        if stored is not None:
            transaction.change.cleanup()
        return stored

    async def commit(self, transaction: Transaction) -> ToolResult:
        """Make a transaction happen once; return its result, or that of an earlier attempt."""
        workspace, deadline = transaction.key.workspace, transaction.workspace.limits.deadline
        try:
            async with self._locks.held(workspace, deadline):
                # The lock stays held until the thread is done, also when the request is cancelled:
                # without it, another call could find the workspace half changed.
                return await until_done(
                    self._threads.run_admitted(self._committer.commit, transaction)
                )
        finally:
            if transaction.change.needs_cleanup:
                self._threads.run_in_background(transaction.change.cleanup)


async def until_done(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work however often that is cancelled: it goes on, and needs what is held for it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()
