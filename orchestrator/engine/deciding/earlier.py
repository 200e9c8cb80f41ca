"""What the session's earlier runs came to, for a planner that goes on from them."""

import asyncio
from collections.abc import Sequence

from common.errors import ClientError
from common.folding import fold
from common.runs import FINAL_STATUSES, Run
from common.tools import Receipt
from orchestrator.planners.protocol import EarlierRun
from orchestrator.store.records import Lease
from orchestrator.store.runs import RunStore

MOST_READ = 20
"""Runs without a result that are read for their changes: each may be megabytes."""


async def earlier_runs(runs: RunStore, lease: Lease, most: int) -> Sequence[EarlierRun]:
    """Return up to `most` runs that have ended before this one, the oldest first."""
    page = await runs.list(lease.session.id, most, lease.run.id)
    ended = [run for run in page.items if run.status in FINAL_STATUSES]
    without_result = [run for run in ended if run.result is None]
    changes = {run.id: await _changes(runs, run) for run in without_result[:MOST_READ]}
    return [_told(run, changes.get(run.id, ())) for run in reversed(ended)]


def _told(run: Run, changes: Sequence[Receipt]) -> EarlierRun:
    if run.result is None:
        return EarlierRun(run.id, run.goal, run.status, None, changes)
    return EarlierRun(run.id, run.goal, run.status, run.result.answer, run.result.changes)


async def _changes(runs: RunStore, listed: Run) -> Sequence[Receipt]:
    """Return what a run has changed that failed or was cancelled: its effects stand."""
    try:
        run = await runs.get(listed.session_id, listed.id)
    except ClientError:  # it has just expired
        return ()
    receipts = [step.receipts for step in run.steps]
    return await asyncio.to_thread(fold, receipts)
