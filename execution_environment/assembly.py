"""What the service consists of, over one data directory: put together here, closed in reverse."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from execution_environment.changing import Changer
from execution_environment.committer import Committer, nothing
from execution_environment.completer import Completer
from execution_environment.executor import Executor
from execution_environment.files import Files
from execution_environment.pool import Pool
from execution_environment.registry import Registry, discover
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.settling import Settler
from execution_environment.state.audit import Audit
from execution_environment.state.ledger import Ledger
from execution_environment.state.locks import WorkspaceLocks
from execution_environment.state.reservations import Reservations
from execution_environment.workspaces import Maxima, Workspaces

UPKEEP_INTERVAL = timedelta(hours=1)


class Assembly:
    """One process's parts; several processes may work on the same directory."""

    def __init__(
        self,
        data_dir: Path,
        maxima: Maxima,
        pool: Pool,
        result_ttl: timedelta,
        make_ledger: Callable[[Path], Ledger] = Ledger,
        observe: Callable[[str], None] = nothing,
    ) -> None:
        """Open the directory; raise SandboxUnavailable or OSError when it cannot be used."""
        state = data_dir / "state"
        self.pool = pool
        self.sandbox = Sandbox(data_dir)
        self.registry = Registry(discover())
        self.audit_dir = state / "audit"
        self._result_ttl = result_ttl.total_seconds()
        self._locks = WorkspaceLocks(state / "locks")
        self._ledger = make_ledger(state / "ledger.sqlite")
        self._audit = Audit(self.audit_dir, self.sandbox.mover.staging.process)
        self._completer = Completer(self.sandbox.mover, self._ledger, self._audit)
        committer = Committer(self.sandbox, self._ledger, self._audit, self._completer, observe)
        process = self.sandbox.mover.staging.process
        self._reservations = Reservations(state / "ledger.sqlite", process)
        workspaces = Workspaces(self.sandbox, self._ledger, self._reservations, pool, maxima)
        changer = Changer(self._locks, committer, pool)
        self.executor = Executor(
            self.registry, workspaces, changer, self._ledger, self._audit, pool
        )
        self.files = Files(workspaces, changer, self._audit, pool)
        self.settler = Settler(self._ledger, self._locks, self._completer, pool)

    def tidy(self) -> None:
        """Complete what processes that died have left, and forget what is too old."""
        self._completer.recover(self._locks)
        self._reservations.forget(self.sandbox.mover.staging.is_abandoned)
        self._ledger.tidy(self._result_ttl)

    async def keep_tidy(self) -> None:
        """Tidy now and then, until cancelled."""
        while True:
            await asyncio.sleep(UPKEEP_INTERVAL.total_seconds())
            await self.pool.finish(self.tidy)

    async def close(self) -> None:
        """End what is under way and give everything back."""
        await self.pool.close()
        self._completer.close()
        self._reservations.close()
        self._ledger.close()
        self._audit.close()
        self.sandbox.close()
