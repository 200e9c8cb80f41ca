"""Finds runs to execute and keeps each one's lease until it ends: wake-ups, the reaper, the drain."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from structlog.contextvars import bound_contextvars

from common.errors import AgenticError
from common.logs import get_logger
from orchestrator.engine.calls import FenceTooLow
from orchestrator.engine.runner import Runner
from orchestrator.engine.signals import Signals
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.fencing import IN_DOUBT, Fenced
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Lease
from orchestrator.store.store import Store

log = get_logger(__name__)
IDLE = timedelta(seconds=1)
"""How long one wait for a wake-up lasts, and the pause after the store failed."""
SILENCE_CHECK = timedelta(seconds=0.5)
REAP_INTERVAL = timedelta(seconds=1)
RENEWALS = 4
"""Renewals in the time of one lease: one or two may fail without harm."""


class Worker:
    """Executes up to `concurrency` runs at a time until it is told to drain."""

    def __init__(self, store: Store, runner: Runner, concurrency: int) -> None:
        self._store = store
        self._runner = runner
        self._id = secrets.token_hex(8)
        self._lease = store.backend.config.lease.total_seconds()
        self._slots = asyncio.Semaphore(concurrency)
        self._draining = asyncio.Event()
        self._silent: dict[RunRef, None] = {}
        """Runs whose owner fell silent, each once: they go before what the stream holds."""
        self._kept: dict[str, Signals] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def drain(self) -> None:
        """Take no more runs, and give each kept one back at its next step."""
        self._draining.set()

    def cancel(self, run_id: str) -> None:
        """Take the notification that a run shall end; its next renewal would say so as well."""
        if run_id in self._kept:
            self._kept[run_id].cancelled.set()

    async def serve(self) -> None:
        """Work until drained; return when every kept run has ended or been given back."""
        try:
            loops = (self._take, self._find_silent, self._reap)
            await asyncio.gather(*(self._repeat(work) for work in loops))
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            for task in self._tasks:  # out of time: their leases run out, others go on with them
                task.cancel()

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until drained. A store that is away is a pause; anything else is for the supervisor."""
        while not self._draining.is_set():
            try:
                await work()
            except StoreUnavailable:  # the store has logged it
                await self._pause(IDLE)

    async def _pause(self, duration: timedelta) -> None:
        """Sleep, but not through the drain."""
        try:
            async with asyncio.timeout(duration.total_seconds()):
                await self._draining.wait()
        except TimeoutError:
            return

    async def _find_silent(self) -> None:
        self._silent |= dict.fromkeys(await self._store.reaper.find_silent())
        await self._pause(SILENCE_CHECK * _jitter())

    async def _reap(self) -> None:
        await self._store.reaper.reap()
        await self._pause(REAP_INTERVAL * _jitter())

    async def _take(self) -> None:
        """Wait for a wake-up once there is a free slot, and start on it."""
        await self._slots.acquire()
        ref = None
        try:
            ref = await self._next()
        finally:
            if ref is None:
                self._slots.release()
        if ref is not None:
            task = asyncio.create_task(self._handle(ref))
            self._tasks.add(task)
            task.add_done_callback(self._handled)

    async def _next(self) -> RunRef | None:
        for ref in self._silent:
            del self._silent[ref]
            return ref
        return await self._store.queue.next(self._id, IDLE)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, StoreUnavailable):
            # The lease runs out and the run is tried again, up to the cap on attempts.
            log.error("a run was interrupted", exc_info=failure)

    async def _handle(self, ref: RunRef) -> None:
        if self._draining.is_set():  # it came while this worker waited: nobody else will see it
            await self._store.queue.wake(ref)
            return
        if not await self._store.queue.take(ref):
            return
        # New for each wake-up: two wake-ups of one run must not look like the same acquisition.
        token = f"{self._id}-{secrets.token_hex(8)}"
        lease = await self._store.leases.acquire(ref.session_id, ref.run_id, token)
        if lease is None:
            return
        try:
            await self._own(lease)
        except FenceTooLow as refusal:
            log.warning("the fence was too low", fence=lease.fence, highest=refusal.highest)
            # The store has forgotten how far its fences had come, and learns it here; or the run
            # has a new owner already, whose business it is.
            with suppress(Fenced):
                await self._store.leases.release(lease, floor=refusal.highest)

    async def _own(self, lease: Lease) -> None:
        signals = self._kept[lease.run.id] = Signals(draining=self._draining)
        if lease.cancel_requested:
            signals.cancelled.set()
        ids = {"request_id": lease.run.request_id, "session_id": lease.session.id}
        with bound_contextvars(run_id=lease.run.id, **ids):
            try:
                await self._keep(lease, signals)
            finally:
                if self._kept.get(lease.run.id) is signals:  # unless it was taken anew meanwhile
                    del self._kept[lease.run.id]

    async def _keep(self, lease: Lease, signals: Signals) -> None:
        """Execute the run while its lease is renewed; stop once it may be another's.

        The timeout is what stops the run, also in the middle of a call: each renewal puts it off.
        """
        try:
            async with asyncio.timeout(self._lease * IN_DOUBT) as patience:
                renewing = asyncio.create_task(self._renew(lease, signals, patience))
                try:
                    await self._runner.execute(lease, signals)
                finally:
                    renewing.cancel()
        except (TimeoutError, Fenced):
            log.warning("lost the lease of a run", fence=lease.fence)

    async def _renew(self, lease: Lease, signals: Signals, patience: asyncio.Timeout) -> None:
        """Renew the lease for as long as the run is executed; put `patience` off each time."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._lease / RENEWALS)
            asked = loop.time()  # before the store's own period begins, so ours ends before it
            try:
                is_cancelled = await self._store.leases.renew(lease)
            except AgenticError as failure:
                log.warning("could not renew a lease", code=failure.code)
                continue
            except Fenced:
                patience.reschedule(asked)  # in the past: the run stops at once
                return
            patience.reschedule(asked + self._lease * IN_DOUBT)
            if is_cancelled:
                signals.cancelled.set()


def _jitter() -> float:
    """Return a factor that keeps the processes from looking all at the same time."""
    return random.uniform(0.75, 1.25)  # noqa: S311
