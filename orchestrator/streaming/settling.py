"""Waits until a run has settled: it has ended, or waits for a person."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from common.runs import FINAL_STATUSES, Run
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.store import Store

SETTLED = FINAL_STATUSES | {"awaiting_approval", "awaiting_input"}
POLL = 1.0
"""Seconds between two looks at a run's state: a notification may be lost, and older programs send none."""


class Settling:
    """Tells when runs settle: by their state, notifications only say when to look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._is_closing = False

    def tell(self, run_id: str) -> None:
        """Take the notification that a run may have settled."""
        for look in self._waiting.get(run_id, ()):
            look.set()

    def close(self) -> None:
        """Let nobody wait any longer: the process is about to stop."""
        self._is_closing = True
        for run_id in self._waiting:
            self.tell(run_id)

    async def within(self, seconds: float, session_id: str, run_id: str) -> Run | None:
        """Return the run once it has settled; None when that takes longer than `seconds`.

        Raises StoreUnavailable where the store is away from the first, and waits for it later.
        """
        deadline = time.monotonic() + seconds
        with self._watched(run_id) as look:  # before looking: what comes meanwhile is not missed
            run = await self._settled(session_id, run_id, is_told=False)
            while run is None and not self._is_closing:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                is_told = await _until(look, min(left, POLL))
                with suppress(StoreUnavailable):
                    run = await self._settled(session_id, run_id, is_told=is_told)
        return run

    async def _settled(self, session_id: str, run_id: str, *, is_told: bool) -> Run | None:
        """Return a run that has settled; where nobody has told of it, only its status is looked at first."""
        status = None if is_told else await self._store.runs.status(session_id, run_id)
        if status is not None and status not in SETTLED:
            return None
        run = await self._store.runs.get(session_id, run_id)
        return run if run.status in SETTLED else None  # it may have been answered since

    @contextmanager
    def _watched(self, run_id: str) -> Iterator[asyncio.Event]:
        look = asyncio.Event()
        self._waiting[run_id].add(look)
        try:
            yield look
        finally:
            self._waiting[run_id].discard(look)
            if not self._waiting[run_id]:
                del self._waiting[run_id]


async def _until(look: asyncio.Event, seconds: float) -> bool:
    """Wait until there is a reason to look, and take it; tell whether there was one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await look.wait()
    is_told = look.is_set()
    look.clear()
    return is_told
