"""What the service consists of, over one data directory: put together here, closed in reverse."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from execution_environment.audit.writer import Audit
from execution_environment.calls.executor import Executor
from execution_environment.calls.registry import Registry, discover
from execution_environment.calls.uploads import Files
from execution_environment.calls.workspace_factory import Maxima, Workspaces
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.reservations import Reservations
from execution_environment.maintenance import Ages, Upkeep
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.threads import Pool
from execution_environment.transactions.committer import Committer, nothing
from execution_environment.transactions.coordinator import Changer
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.recovery import Completer
from execution_environment.transactions.settlement import Settler


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
        audit_retention: timedelta | None = None,
    ) -> None:
        """Open the directory; raise SandboxUnavailable, OSError or UnknownFormat when it cannot be
        used.
        """
        state = data_dir / "state"
        self.pool = pool
        self.sandbox = Sandbox(data_dir)
        self.registry = Registry(discover())
        self.audit_dir = state / "audit"
        self._locks = WorkspaceLocks(state / "locks")
        self._ledger = make_ledger(state / "ledger.sqlite")
        process = self.sandbox.mover.staging.process
        self.audit = Audit(self.audit_dir, process, tell=self._ledger.chains.note)
        self._completer = Completer(self.sandbox.mover, self._ledger, self.audit)
        self._reservations = Reservations(state / "ledger.sqlite", process)
        committer = Committer(self.sandbox, self._ledger, self.audit, self._completer, observe)
        workspaces = Workspaces(self.sandbox, self._ledger, self._reservations, pool, maxima)
        changer = Changer(self._locks, committer, pool)
        self.executor = Executor(self.registry, workspaces, changer, self._ledger, self.audit, pool)
        self.files = Files(workspaces, changer, self._ledger, self.audit, pool)
        self.settler = Settler(self._ledger, self._locks, self._completer, self.audit, pool)
        ages = Ages(result_ttl, audit_retention)
        kept = (self._ledger, self._locks, self._completer, self._reservations, self.audit)
        self.upkeep = Upkeep(self.sandbox, *kept, self.audit_dir, ages)

    def tidy(self) -> None:
        """Complete what processes that died have left, and forget what is too old, at once."""
        for _ in self.upkeep.steps():
            pass

    async def close(self) -> None:
        """End what is under way and give everything back."""
        await self.pool.close()
        self._completer.note_done()
        self._reservations.close()
        self.audit.close()
        self._ledger.close()
        self.sandbox.close()
