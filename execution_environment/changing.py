"""A change from its draft to its place: staged, then committed under the workspace's lock."""

from common.tools import ToolResult
from execution_environment.committer import Committer
from execution_environment.draft import Draft
from execution_environment.pool import Pool
from execution_environment.state.locks import WorkspaceLocks


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
            stored = await self._pool.run(lambda: self._committer.begin(draft))
            if stored is not None:
                return stored
            async with self._locks.held(draft.claim.workspace, workspace.bounds.deadline):
                return await self._pool.finish(lambda: self._committer.commit(draft))
        finally:
            if workspace.leftovers():
                self._pool.afterwards(workspace.sweep)
