"""The composition root: all parts over one data directory, put together here, closed in reverse."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from execution_environment.archives.hash_cache import HASHES, HashCache
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.archives_in import ArchivesIn
from execution_environment.calls.archives_out import ArchivesOut
from execution_environment.calls.downloads import Downloads
from execution_environment.calls.executor import Executor
from execution_environment.calls.registry import Registry, discover
from execution_environment.calls.removals import Removals
from execution_environment.calls.uploads import Uploads
from execution_environment.calls.workspace_factory import ServiceLimits, WorkspaceFactory
from execution_environment.calls.workspaces import Workspaces
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.reservations import Reservations
from execution_environment.maintenance import Maintenance, RetentionPeriods
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.searching.searchers import Searchers
from execution_environment.threads import ThreadPool
from execution_environment.transactions.change_lists import ChangeLists
from execution_environment.transactions.committer import Committer, nothing
from execution_environment.transactions.coordinator import Coordinator
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.recovery import Recovery
from execution_environment.transactions.settlement import Settler


class Assembly:
    """One process's parts; several processes may work on the same directory."""

    def __init__(
        self,
        data_dir: Path,
        allowed: ServiceLimits,
        threads: ThreadPool,
        result_ttl: timedelta,
        make_ledger: Callable[[Path], Ledger] = Ledger,
        observe: Callable[[str], None] = nothing,
        audit_retention: timedelta | None = None,
    ) -> None:
        """Open the directory; raise SandboxUnavailable, OSError or UnknownFormat when it cannot be
        used.
        """
        state = data_dir / "state"
        self.threads = threads
        self.sandbox = sandbox = Sandbox(data_dir)
        self.registry = Registry(discover())
        self.audit_dir = state / "audit"
        locks = WorkspaceLocks(state / "locks")
        self._ledger = ledger = make_ledger(state / "ledger.sqlite")
        process = sandbox.renamer.staging.process
        self.audit = audit = AuditWriter(self.audit_dir, process, tell=ledger.chains.note)
        self._searchers = Searchers()
        self._reservations = Reservations(state / "ledger.sqlite", process)
        self.hashes = HashCache(state / HASHES)
        self.lists = lists = ChangeLists(state / "changes")
        recovery = Recovery(sandbox.renamer, ledger, audit, lists)
        committer = Committer(sandbox, ledger, audit, recovery, lists, observe)
        coordinator = Coordinator(locks, committer, threads)
        workspaces = WorkspaceFactory(
            sandbox, self._searchers, ledger, self._reservations, threads, allowed
        )
        self._make_calls(workspaces, coordinator)
        self.settler = Settler(ledger, locks, recovery, audit, threads)
        periods = RetentionPeriods(result_ttl, audit_retention)
        kept = (ledger, locks, recovery, self._reservations, audit, self.hashes)
        self.maintenance = Maintenance(sandbox, *kept, periods)

    def _make_calls(self, workspaces: WorkspaceFactory, coordinator: Coordinator) -> None:
        """Make what runs the calls, one part for each kind."""
        ledger, audit, threads = self._ledger, self.audit, self.threads
        self.executor = Executor(self.registry, workspaces, coordinator, ledger, audit, threads)
        self.downloads = Downloads(workspaces, audit, threads)
        self.uploads = Uploads(workspaces, coordinator, ledger, audit, threads)
        self.removals = Removals(workspaces, coordinator, audit)
        parts = (workspaces, coordinator, ledger, audit, threads)
        self.workspaces = Workspaces(self.sandbox, *parts)
        self.archives_in = ArchivesIn(*parts, self.hashes, self.lists)
        self.archives_out = ArchivesOut(workspaces, self.hashes, audit, threads)

    async def close(self) -> None:
        """End what is under way and give everything back."""
        await self.threads.close()
        self.hashes.close()
        self._reservations.close()
        self.audit.close()
        self._ledger.close()
        self._searchers.close()
        self.sandbox.close()
