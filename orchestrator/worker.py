"""Finds runs to execute and keeps each one's lease until it ends: wake-ups, the reaper, the drain."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from common.errors import AgenticError
from common.logs import get_logger
from orchestrator.runner import Runner
from orchestrator.signals import Signals
from orchestrator.store.store import Fenced, Lease, Store, Wakeup

log = get_logger(__name__)
REAP_INTERVAL = 1.0
"""Seconds between two looks for runs whose owner fell silent (jittered)."""
IDLE = 1.0
"""Seconds that one wait for a wake-up lasts, and the pause after the store failed."""
RENEWALS = 4
"""Renewals in the time of one lease."""
PATIENCE = 0.8
"""Share of a lease after which a worker that could not renew it stops its own run."""


class Worker:
    """Executes up to `concurrency` runs at a time until it is told to drain."""

    def __init__(
        self, store: Store, runner: Runner, *, worker_id: str, lease: timedelta, concurrency: int
    ) -> None:
        self._store = store
        self._runner = runner
        self._id = worker_id
        self._lease = lease.total_seconds()
        self._slots = asyncio.Semaphore(concurrency)
        self._draining = asyncio.Event()
        self._kept: dict[str, Signals] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def drain(self) -> None:
        """Take no more runs, and release each kept one at its next step boundary."""
        self._draining.set()

    def cancel(self, run_id: str) -> None:
        """Pass on the hint that a run's client wants it to end."""
        if run_id in self._kept:
            self._kept[run_id].cancelled.set()

    async def serve(self) -> None:
        """Work until drained; return when every kept run has ended or been released."""
        loops = [
            asyncio.create_task(self._repeat(self._take)),
            asyncio.create_task(self._repeat(self._reap)),
        ]
        await self._draining.wait()
        await asyncio.gather(*loops)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._draining.is_set():
            try:
                await work()
            except AgenticError as failure:
                log.warning("the store failed", code=failure.code, detail=failure.detail)
                await self._pause(IDLE)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not through the drain."""
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            return

    async def _reap(self) -> None:
        await self._store.reap()
        await self._pause(REAP_INTERVAL * random.uniform(0.75, 1.25))  # noqa: S311  # jitter

    async def _take(self) -> None:
        """Wait for wake-ups, no more than there are free slots."""
        await self._slots.acquire()
        try:
            wakeups = await self._store.next_wakeups(
                self._id, count=1, block=timedelta(seconds=IDLE)
            )
        except AgenticError:
            self._slots.release()
            raise
        for wakeup in wakeups:
            self._start(wakeup)
        if not wakeups:
            self._slots.release()

    def _start(self, wakeup: Wakeup) -> None:
        task = asyncio.create_task(self._handle(wakeup))
        self._tasks.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            # The lease runs out and the run is tried again, up to the cap on attempts.
            log.error("a run failed unforeseen", exc_info=task.exception())

    async def _handle(self, wakeup: Wakeup) -> None:
        lease = await self._store.acquire(wakeup.session_id, wakeup.run_id, self._id)
        await self._store.ack(wakeup)
        if lease is None:
            return
        signals = self._kept[lease.run.id] = Signals(draining=self._draining)
        try:
            await self._keep(lease, signals)
        finally:
            del self._kept[lease.run.id]

    async def _keep(self, lease: Lease, signals: Signals) -> None:
        """Execute the run while its lease is renewed; stop when the lease may be another's."""
        try:
            async with asyncio.timeout(self._lease * PATIENCE) as silence:
                renewing = asyncio.create_task(self._renew(lease, signals, silence))
                try:
                    await self._runner.execute(lease, signals)
                finally:
                    renewing.cancel()
        except (TimeoutError, Fenced):
            log.warning("lost the lease of a run", run_id=lease.run.id, fence=lease.fence)

    async def _renew(self, lease: Lease, signals: Signals, silence: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if lease.cancel_requested or signals.cancelled.is_set():
                signals.cancelled.set()
            await asyncio.sleep(self._lease / RENEWALS)
