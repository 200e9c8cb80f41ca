"""Opens a call's workspace with the limits that hold for it."""

from dataclasses import dataclass

from common.context import ExecutionContext
from common.errors import ToolError
from common.files.paths import parse
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.reservations import Reservations
from execution_environment.sandbox.limits import CallLimits, QuotaMeter, Usage
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.searching.searchers import Searchers
from execution_environment.threads import ThreadPool
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class ServiceLimits:
    """What the service allows; a call's own limits may only narrow it. Sizes in bytes."""

    read: int
    write: int
    quota: Usage


class WorkspaceFactory:
    """Knows what the service allows, and how full each workspace is."""

    def __init__(
        self,
        sandbox: Sandbox,
        searchers: Searchers,
        ledger: Ledger,
        reservations: Reservations,
        threads: ThreadPool,
        allowed: ServiceLimits,
    ) -> None:
        self._sandbox = sandbox
        self._searchers = searchers
        self._ledger = ledger
        self._reservations = reservations
        self._threads = threads
        self._allowed = allowed

    @property
    def max_entries(self) -> int:
        """Files and directories that a workspace may hold."""
        return self._allowed.quota.entries

    def open_reader(self, context: ExecutionContext, started: float) -> Reader:
        """Return what a call that only reads gets of its workspace.

        `started` is when the call arrived, on the monotonic clock in seconds.
        """
        root = WorkspaceRoot(self._sandbox.renamer.root, parse(context.allowed_paths_root))
        return Reader(root, self._limits(context, started), self._searchers)

    def open(
        self,
        context: ExecutionContext,
        started: float,
        *,
        dry_run: bool = False,
        is_bulk: bool = False,
        hashes_trees: bool = False,
    ) -> Workspace:
        """Return what a call that changes something gets; `is_bulk`, one that changes many files.

        `hashes_trees`: its receipts say what was in the directories that it takes away or copies.
        """
        root, limits = context.allowed_paths_root, self._limits(context, started)
        asked, allowed = context.limits.workspace_quota_bytes, self._allowed.quota
        quota = Usage(_least(asked, allowed.size), allowed.entries)
        used = self._ledger.usage.of(root)
        if dry_run:  # nothing of it comes to be counted, or staged, beside others
            meter = QuotaMeter(quota, used or self._sandbox.measure(root, limits))
        else:
            meter = self._shared_meter(root, quota, used or Usage(0, 0))
        renamer, searchers = self._sandbox.renamer, self._searchers
        return open_workspace(
            parse(root),
            renamer,
            searchers,
            limits,
            meter,
            dry_run=dry_run,
            is_bulk=is_bulk,
            hashes_trees=hashes_trees,
        )

    def _limits(self, context: ExecutionContext, started: float) -> CallLimits:
        return CallLimits(
            max_read=_least(context.limits.max_read_bytes, self._allowed.read),
            max_write=_least(context.limits.max_write_bytes, self._allowed.write),
            deadline=started + context.timeout,
            stopping=self._threads.stopping,
        )

    def _shared_meter(self, root: str, quota: Usage, used: Usage) -> QuotaMeter:
        """Return a meter that reserves what the call stages, beside what all others stage."""
        most = max(quota.size, used.size)
        return QuotaMeter(
            quota, used, reserve=lambda size: self._reservations.change(root, size, most)
        )


def require_access(effect: str, context: ExecutionContext, *, dry_run: bool = False) -> None:
    """Raise `permission_denied` for a change on behalf of somebody who may only read.

    A dry run changes nothing: whoever may read may see what a change would do.
    """
    if effect != "read" and context.access == "read_only" and not dry_run:
        raise ToolError("permission_denied", "This call may only read", errno="EROFS")


def _least(asked: int | None, allowed: int) -> int:
    return allowed if asked is None else min(asked, allowed)
