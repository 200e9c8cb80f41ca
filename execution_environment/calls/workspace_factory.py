"""Opens a call's workspace with the bounds that hold for it."""

from dataclasses import dataclass

from common.context import ExecutionContext
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import Usage
from execution_environment.ledger.reservations import Reservations
from execution_environment.sandbox.limits import Bounds, Meter, unshared
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.threads import Pool
from execution_environment.workspace.entry_mover import Workspace


@dataclass(frozen=True)
class Maxima:
    """What the service allows; a call's own limits may only narrow it. Sizes in bytes."""

    read: int
    write: int
    quota: Usage


class Workspaces:
    """Knows what the service allows, and how full each workspace is."""

    def __init__(
        self,
        sandbox: Sandbox,
        ledger: Ledger,
        reservations: Reservations,
        pool: Pool,
        maxima: Maxima,
    ) -> None:
        self._sandbox = sandbox
        self._ledger = ledger
        self._reservations = reservations
        self._pool = pool
        self._maxima = maxima

    def open(
        self, context: ExecutionContext, started: float, *, dry_run: bool = False
    ) -> tuple[Workspace, Usage]:
        """Return a call's view of its workspace, and how large that may become.

        `started` is when the call arrived, on the monotonic clock in seconds.
        """
        limits, maxima, root = context.limits, self._maxima, context.allowed_paths_root
        quota = Usage(_least(limits.workspace_quota_bytes, maxima.quota.size), maxima.quota.entries)
        bounds = Bounds(
            max_read=_least(limits.max_read_bytes, maxima.read),
            max_write=_least(limits.max_write_bytes, maxima.write),
            deadline=started + context.timeout,
            stopping=self._pool.stopping,
            meter=self._meter(root, quota),
        )
        if dry_run:
            self._count(root, bounds, quota)
        return self._sandbox.workspace(root, bounds, dry_run=dry_run), quota

    def _meter(self, root: str, quota: Usage) -> Meter:
        used = self._ledger.usage(root) or Usage(0, 0)
        most = max(quota.size, used.size)
        return Meter(
            quota.size - used.size,
            quota.entries - used.entries,
            reserve=lambda size: self._reservations.change(root, size, most),
        )

    def _count(self, root: str, bounds: Bounds, quota: Usage) -> None:
        """Find the room that a dry run has: nothing of it comes to be counted at a commit."""
        bounds.meter.reserve = unshared
        if self._ledger.usage(root) is None:
            found = self._sandbox.measure(root, bounds)
            bounds.meter.room = quota.size - found.size
            bounds.meter.places = quota.entries - found.entries


def _least(asked: int | None, allowed: int) -> int:
    return allowed if asked is None else min(asked, allowed)
