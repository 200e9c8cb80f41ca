"""What goes on beside the calls: what is too old is forgotten, heads are noted, room is given back."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from common.errors import AgenticError
from common.logs import get_logger
from execution_environment.archives.hash_cache import HashCache
from execution_environment.audit.retention import remove_old
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.reservations import Reservations
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.threads import ThreadPool
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.recovery import Recovery

INTERVAL = timedelta(minutes=1)
"""How often heads are noted: what is cut off the trail after the last one cannot be told."""
ROUNDS = 60
"""Intervals from one maintenance to the next."""
PAUSE = timedelta(milliseconds=20)
"""Between two steps, so that calls of other processes get their turn at the ledger."""

log = get_logger(__name__)


@dataclass(frozen=True)
class RetentionPeriods:
    """How long things are kept."""

    results: timedelta
    audit: timedelta | None = None
    """None: audit files stay."""


class Maintenance:
    """Works in short steps, each in a thread of the pool."""

    def __init__(
        self,
        sandbox: Sandbox,
        ledger: Ledger,
        locks: WorkspaceLocks,
        recovery: Recovery,
        reservations: Reservations,
        audit: AuditWriter,
        hashes: HashCache,
        periods: RetentionPeriods,
    ) -> None:
        self._sandbox = sandbox
        self._ledger = ledger
        self._locks = locks
        self._recovery = recovery
        self._reservations = reservations
        self._audit = audit
        self._hashes = hashes
        self._periods = periods

    def recover(self) -> None:
        """Complete what processes that died have left."""
        self._recovery.recover_all(self._locks)
        self._reservations.forget(self._sandbox.renamer.staging.has_ended)

    def note(self) -> None:
        """Have the ledger know how far the trail has come, and what is done."""
        self._ledger.intents.close_applied()
        self._audit.tell_head()

    def run_now(self) -> None:
        """Do all of the hourly maintenance at once."""
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """Do the hourly maintenance, step by step."""
        self.recover()
        yield
        while self._ledger.ageing.forget(self._periods.results.total_seconds()):
            yield
        self._recovery.forget_lists()
        yield
        while self._ledger.ageing.shrink():
            yield
        self._locks.forget(lambda workspace: not self._sandbox.has(workspace))
        self._hashes.forget(lambda workspace: not self._sandbox.has(workspace))
        yield
        if self._periods.audit is not None:
            before = time.time() - self._periods.audit.total_seconds()
            is_ended = self._sandbox.renamer.staging.has_ended
            remove_old(self._audit.directory, self._ledger.chains, before, is_ended)

    async def run(self, threads: ThreadPool, interval: timedelta = INTERVAL) -> None:
        """Maintain now and every so many intervals, note heads in each, until cancelled."""
        while True:
            await _guarded(lambda: self._maintain(threads))
            for _ in range(ROUNDS):
                await asyncio.sleep(interval.total_seconds())
                await _guarded(lambda: threads.run_admitted(self.note))

    async def _maintain(self, threads: ThreadPool) -> None:
        steps = self.steps()
        while True:
            if await threads.run_admitted(next, steps, steps) is steps:
                return
            await asyncio.sleep(PAUSE.total_seconds())


async def _guarded(work: Callable[[], Awaitable[None]]) -> None:
    """Do a piece of work; what fails today may succeed next time."""
    try:
        await work()
    except (AgenticError, OSError, sqlite3.Error):
        log.exception("maintenance failed")
