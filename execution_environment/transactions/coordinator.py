"""Begins a transaction, waits for its workspace's lock, commits it, and clears up after it."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from common.errors import AgenticError
from common.logs import get_logger
from common.tools import ToolCall, ToolResult
from execution_environment.threads import ThreadPool
from execution_environment.transactions.committer import Committer
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.transaction import Transaction
from execution_environment.workspace.staged_change import StagedChange

P = ParamSpec("P")
T = TypeVar("T")
Staged = Transaction | ToolResult
"""What has to be committed: staged, or to be staged under the lock; or the result of what needs no
commit, or has happened before."""
log = get_logger(__name__)


class Coordinator:
    """Waits for locks on the event loop, where waiting holds no thread; all else is in a thread.

    What was staged is committed or removed, whatever becomes of the request in between.
    """

    def __init__(self, locks: WorkspaceLocks, committer: Committer, threads: ThreadPool) -> None:
        self._locks = locks
        self._committer = committer
        self._threads = threads

    async def begin(
        self,
        call: ToolCall,
        deadline: float,
        func: Callable[P, Staged],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Staged:
        """Run what begins a call, by way of `stage`, in one of its user's threads.

        A thread goes on when its request is cancelled: then what it stages is removed.
        """
        user = call.context.user_id
        begun = asyncio.ensure_future(self._threads.run_for(user, deadline, func, *args, **kwargs))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            begun.add_done_callback(self._forsake)
            raise

    async def begin_upload(self, transaction: Transaction) -> Staged:
        """Stage a transaction that has staged content already: without a commit, it is removed."""
        user, deadline = transaction.call.context.user_id, transaction.workspace.limits.deadline
        begun = asyncio.ensure_future(
            self._threads.run_for(user, deadline, self.stage, transaction)
        )
        try:
            return await asyncio.shield(begun)
        except BaseException:
            cleanup = transaction.change.cleanup
            begun.add_done_callback(lambda _: self._threads.run_in_background(cleanup))
            raise

    def _forsake(self, begun: asyncio.Task[Staged]) -> None:
        if not begun.cancelled() and begun.exception() is None:
            staged = begun.result()
            if isinstance(staged, Transaction):
                self._threads.run_in_background(staged.change.cleanup)

    def stage(self, transaction: Transaction) -> Staged:
        """Stage a transaction, in a thread; without a result, `commit` has to follow."""
        try:
            stored = self._committer.stage_or_find(transaction)
        except BaseException:
            _clean_up(transaction.change)
            raise
        if stored is None:
            return transaction
        _clean_up(transaction.change)
        return stored

    async def commit(self, transaction: Transaction) -> ToolResult:
        """Make a transaction happen once; return its result, or that of an earlier attempt."""
        workspace, deadline = transaction.key.workspace, transaction.workspace.limits.deadline
        try:
            async with self._locks.held(workspace, deadline):
                # The lock stays held until the thread is done, also when the request is cancelled:
                # without it, another call could find the workspace half changed.
                return await until_done(self._committed(transaction))
        finally:
            if transaction.change.needs_cleanup:
                self._threads.run_in_background(transaction.change.cleanup)

    def _committed(self, transaction: Transaction) -> Coroutine[Any, Any, ToolResult]:
        """Return the work of a commit; that of many files is in one of its user's threads."""
        if not transaction.is_bulk:
            return self._threads.run_admitted(self._committer.commit, transaction)
        user, deadline = transaction.call.context.user_id, transaction.workspace.limits.deadline
        return self._threads.run_for(user, deadline, self._committer.commit, transaction)


def _clean_up(change: StagedChange) -> None:
    """Remove what is staged; the call has its answer already, whether that succeeds or not."""
    try:
        change.cleanup()
    except (AgenticError, OSError, sqlite3.Error):
        log.exception("what was staged could not be removed")


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
