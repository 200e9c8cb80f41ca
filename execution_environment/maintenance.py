"""What goes on beside the calls: heads are noted, what is too old is forgotten, room is given back."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from common.errors import AgenticError
from common.logs import get_logger
from execution_environment.audit.retention import remove_old
from execution_environment.audit.writer import Audit
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.reservations import Reservations
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.threads import Pool
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.recovery import Completer

INTERVAL = timedelta(minutes=1)
"""How often heads are noted: what is cut off the trail after the last one cannot be told."""
ROUNDS = 60
"""Intervals from one tidying to the next."""
PAUSE = timedelta(milliseconds=20)
"""Between two steps, so that calls of other processes get their turn at the ledger."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Ages:
    """How old things get."""

    results: timedelta
    audit: timedelta | None = None
    """None: audit files stay."""


class Upkeep:
    """Works in short steps, each in a thread of the pool."""

    def __init__(
        self,
        sandbox: Sandbox,
        ledger: Ledger,
        locks: WorkspaceLocks,
        completer: Completer,
        reservations: Reservations,
        audit: Audit,
        audit_dir: Path,
        ages: Ages,
    ) -> None:
        self._sandbox = sandbox
        self._ledger = ledger
        self._locks = locks
        self._completer = completer
        self._reservations = reservations
        self._audit = audit
        self._audit_dir = audit_dir
        self._ages = ages

    def recover(self) -> None:
        """Complete what processes that died have left."""
        self._completer.recover(self._locks)
        self._reservations.forget(self._sandbox.mover.staging.is_abandoned)

    def note(self) -> None:
        """Have the ledger know how far the trail has come, and what is done."""
        self._completer.note_done()
        self._audit.tell_head()

    def steps(self) -> Iterator[None]:
        """Tidy step by step."""
        self.recover()
        yield
        while self._ledger.ageing.forget(self._ages.results.total_seconds()):
            yield
        while self._ledger.ageing.shrink():
            yield
        self._locks.forget(lambda workspace: not self._sandbox.has(workspace))
        yield
        if self._ages.audit is not None:
            before = time.time() - self._ages.audit.total_seconds()
            is_ended = self._sandbox.mover.staging.is_abandoned
            remove_old(self._audit_dir, self._ledger.chains, before, is_ended)

    async def run(self, pool: Pool, interval: timedelta = INTERVAL) -> None:
        """Tidy now and every so many intervals, note heads in each, until cancelled."""
        while True:
            await _guarded(lambda: self._tidy(pool))
            for _ in range(ROUNDS):
                await asyncio.sleep(interval.total_seconds())
                await _guarded(lambda: pool.finish(self.note))

    async def _tidy(self, pool: Pool) -> None:
        steps = self.steps()
        while True:
            if await pool.finish(lambda: next(steps, steps)) is steps:
                return
            await asyncio.sleep(PAUSE.total_seconds())


async def _guarded(work: Callable[[], Awaitable[None]]) -> None:
    """Do a piece of work; what fails today may succeed next time."""
    try:
        await work()
    except (AgenticError, OSError, sqlite3.Error):
        log.exception("upkeep failed")
