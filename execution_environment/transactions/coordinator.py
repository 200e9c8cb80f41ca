"""Performs a transaction: begun and committed in one thread, or committed when its workspace is free."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from common.errors import AgenticError
from common.logs import get_logger
from common.tools import ToolCall, ToolResult
from execution_environment.threads import ThreadPool
from execution_environment.transactions.committer import Committer
from execution_environment.transactions.locks import InThread, WorkspaceLocks
from execution_environment.transactions.transaction import Transaction
from execution_environment.workspace.staged_change import StagedChange

P = ParamSpec("P")
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

    async def perform(
        self,
        call: ToolCall,
        deadline: float,
        func: Callable[P, Staged],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> ToolResult:
        """Run what begins a call, by way of `stage`, in one of its user's threads, and commit it.

        A thread goes on when its request is cancelled: what it stages then is committed there, or
        removed.
        """
        begun = self._begun(call, deadline, partial(func, *args, **kwargs))
        try:
            staged = await asyncio.shield(begun)
        except asyncio.CancelledError:
            begun.add_done_callback(self._forsake)
            raise
        return await self._completed(staged)

    async def perform_upload(self, transaction: Transaction) -> ToolResult:
        """Commit a transaction that has staged content already: without a commit, it is removed."""
        deadline = transaction.workspace.limits.deadline
        begun = self._begun(transaction.call, deadline, partial(self.stage, transaction))
        try:
            staged = await asyncio.shield(begun)
        except BaseException:
            cleanup = transaction.change.cleanup
            begun.add_done_callback(lambda _: self._threads.run_in_background(cleanup))
            raise
        return await self._completed(staged)

    def stage(self, transaction: Transaction) -> Staged:
        """Stage a transaction, in a thread; without a result, it has to be committed."""
        try:
            stored = self._committer.stage_or_find(transaction)
        except BaseException:
            _clean_up(transaction.change)
            raise
        if stored is None:
            return transaction
        _clean_up(transaction.change)
        return stored

    def _begun(
        self, call: ToolCall, deadline: float, begin: Callable[[], Staged]
    ) -> asyncio.Task[Staged]:
        work = self._threads.run_for(call.context.user_id, deadline, self._commit_if_free, begin)
        return asyncio.ensure_future(work)

    def _commit_if_free(self, begin: Callable[[], Staged]) -> Staged:
        """Begin a call, and commit it in the same thread where nobody is busy with its workspace."""
        staged = begin()
        if isinstance(staged, ToolResult) or staged.is_bulk:  # a bulk change takes long: in line
            return staged
        try:
            with self._locks.tried(staged.key.workspace) as is_held:
                if is_held:
                    self._committer.commit(staged)
        except BaseException:
            _clean_up(staged.change)
            raise
        return staged

    async def _completed(self, staged: Staged) -> ToolResult:
        """Commit what was begun, unless it has its answer, and clear up after it."""
        if isinstance(staged, ToolResult):
            return staged
        try:
            return staged.answer or await self._commit(staged)
        finally:
            if staged.change.needs_cleanup:
                self._threads.run_in_background(staged.change.cleanup)

    async def _commit(self, transaction: Transaction) -> ToolResult:
        deadline = transaction.workspace.limits.deadline
        commit = partial(self._committer.commit, transaction)
        workspace, in_thread = transaction.key.workspace, self._thread_of(transaction)
        return await self._locks.exclusively(workspace, deadline, in_thread, commit)

    def _thread_of(self, transaction: Transaction) -> InThread:
        """Return the way to a thread: for many files, to one of the user's."""
        if not transaction.is_bulk:
            return self._threads.run_admitted
        user, deadline = transaction.call.context.user_id, transaction.workspace.limits.deadline
        return partial(self._threads.run_for, user, deadline)

    def _forsake(self, begun: asyncio.Task[Staged]) -> None:
        """Clear up after a call whose request has gone."""
        if not begun.cancelled() and begun.exception() is None:
            staged = begun.result()
            if isinstance(staged, Transaction):
                self._threads.run_in_background(staged.change.cleanup)


def _clean_up(change: StagedChange) -> None:
    """Remove what is staged; the call has its answer already, whether that succeeds or not."""
    try:
        change.cleanup()
    except (AgenticError, OSError, sqlite3.Error):
        log.exception("what was staged could not be removed")
