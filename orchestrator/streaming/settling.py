"""Waits until a run has settled: it has ended, or waits for a person."""

import asyncio
from contextlib import aclosing

from common.runs import FINAL_EVENTS, FINAL_STATUSES, Run
from orchestrator.store.store import Store
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.frames import START

SETTLED = FINAL_STATUSES | {"awaiting_approval", "awaiting_input"}
_TELLING = FINAL_EVENTS | {"run.queued", "run.awaiting_approval", "run.awaiting_input", "gap"}
"""Events behind which a run may have settled."""


class Settling:
    """Tells when runs settle: by their state, their events only say when to look."""

    def __init__(self, store: Store, connections: ConnectionManager) -> None:
        self._store = store
        self._connections = connections

    async def within(self, seconds: float, session_id: str, run_id: str) -> Run | None:
        """Return the run once it has settled; None when that takes longer than `seconds`."""
        settling = asyncio.create_task(self._settled(session_id, run_id))
        try:
            # Not by a timeout: a command of Redis may swallow its cancel (asyncio.wait_for before 3.12).
            await asyncio.wait({settling}, timeout=seconds)
            return settling.result() if settling.done() else None
        finally:
            settling.cancel()

    async def _settled(self, session_id: str, run_id: str) -> Run | None:
        """Return the run once its state says so; None where its events end before."""
        start = START.not_before(await self._store.events.first_seq(session_id, run_id))
        async with aclosing(self._connections.follow(session_id, start, run_id)) as batches:
            async for batch in batches:  # the first one included
                if any(frame.event.type in _TELLING for frame in batch):
                    run = await self._store.runs.get(session_id, run_id)
                    if run.status in SETTLED:
                        return run
        return None
