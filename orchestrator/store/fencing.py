"""Writes that only the owner of a lease may make: each shows the lease's fence."""

from typing import Any

from orchestrator.store.backend import Backend
from orchestrator.store.records import Lease


class Fenced(Exception):  # a state of affairs, not an error
    """Another worker owns the run now: the writer has to stop."""


async def write_as_owner(
    backend: Backend, script: str, lease: Lease, *arguments: str | int
) -> list[Any]:
    """Run a script with the lease's fence; return its answer, or raise Fenced.

    The script compares the fence with the run's in the same step as it writes: a worker that was
    paused for longer than its lease cannot write over what its successor has written.
    """
    session_id, run_id = lease.session.id, lease.run.id
    answer = await backend.script(script, session_id, run_id, lease.fence, *arguments)
    if answer[0] == "fenced":
        raise Fenced(run_id)
    return answer
