"""A change from its draft to its place: staged, then committed under the workspace's lock."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from common.tools import ToolResult
from execution_environment.threads import Pool
from execution_environment.transactions.committer import Committer
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.transaction import Draft

T = TypeVar("T")


class Changer:
    """Waits for locks on the event loop; everything else is done in a thread."""

    def __init__(self, locks: WorkspaceLocks, committer: Committer, pool: Pool) -> None:
        self._locks = locks
        self._committer = committer
        self._pool = pool

    async def make(self, draft: Draft) -> ToolResult:
        """Make a change happen once; return its result, or that of an earlier attempt."""
        workspace = draft.workspace
        try:
            stored = await self._pool.run_for(
                draft.call.context.user_id,
                workspace.bounds.deadline,
                lambda: self._committer.begin(draft),
            )
            if stored is not None:
                return stored
            async with self._locks.held(draft.claim.workspace, workspace.bounds.deadline):
                return await to_its_end(self._pool.finish(lambda: self._committer.commit(draft)))
        finally:
            if workspace.has_leftovers:
                self._pool.afterwards(workspace.sweep)


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
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
