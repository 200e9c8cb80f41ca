"""Writes that only the owner of a lease may make: each shows the lease's fence."""

from datetime import timedelta
from typing import Any

from orchestrator.store.backend import Backend
from orchestrator.store.records import Lease

IN_DOUBT = 0.8
"""Share of a lease after which its owner, if it could not renew it, counts it as lost and stops.

Less than 1, so that it has stopped before another worker can take the run. Only work is wasted when
it has not, a paused process for instance: what it writes then is refused for its fence.
"""


class Fenced(Exception):  # a state of affairs, not an error
    """Another worker owns the run now: the writer has to stop."""


async def write_as_owner(
    backend: Backend,
    script: str,
    lease: Lease,
    *arguments: str | int,
    patience: timedelta | None = None,
    is_replicated: bool = False,
) -> list[Any]:
    """Run a script with the lease's fence; return its answer, or raise Fenced.

    The script compares the fence with the run's in the same step as it writes: a worker that was
    paused for longer than its lease cannot write over what its successor has written. While the
    store is away or full it is repeated until the lease is in doubt, or for `patience`.
    """
    session_id, run_id = lease.session.id, lease.run.id
    answer = await backend.script(
        script,
        session_id,
        run_id,
        lease.fence,
        *arguments,
        patience=backend.config.lease * IN_DOUBT if patience is None else patience,
        is_replicated=is_replicated,
    )
    if answer[0] == "fenced":
        raise Fenced(run_id)
    return answer
