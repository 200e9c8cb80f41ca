"""Runs: start, list, read, cancel."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from common.ids import RunId
from common.models import Page
from common.plans import Turn
from common.runs import Run, RunCreate
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import Responses, problems
from common.web.prefer import preferred_wait
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    IdempotencyKey,
    OriginDep,
    PagingDep,
    ServicesDep,
    SessionDep,
    StarterDep,
    count_run,
)
from orchestrator.streaming.settling import SETTLED

MAX_WAIT = 300
"""Seconds that `Prefer: wait=N` (RFC 7240) can hold the answer back."""
_FINISHED: Responses = {
    200: {
        "model": Run,
        "description": "The run has ended within `Prefer: wait=N`, or waits for a person",
    }
}
_STARTING = ("goal_not_understood", "invalid_plan", "session_busy", "queue_full", "upstream_failed")
router = APIRouter(prefix="/v1/sessions/{session_id}/runs", tags=["runs"], route_class=JsonRoute)


@router.post(
    "",
    status_code=202,
    response_model=Run,
    dependencies=[Depends(count_run)],
    responses=_FINISHED | problems(*COMMON, *BODY, *_STARTING, "session_not_found"),
)
async def start_run(
    body: RunCreate,
    session: SessionDep,
    origin: OriginDep,
    starter: StarterDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
    prefer: Annotated[Sequence[str], Header()] = (),
) -> Response:
    """Start a run for a goal or a plan; with `Prefer: wait=N` answer when it has ended."""
    run_id = await starter.start(session, body, origin, idempotency_key)
    wanted, run = preferred_wait(prefer), None
    if wanted is not None:
        run = await services.settling.within(min(wanted, MAX_WAIT), session.id, run_id)
    run = run or await services.store.runs.get(session.id, run_id)
    has_settled = wanted is not None and run.status in SETTLED
    location = {"Location": f"/v1/sessions/{session.id}/runs/{run_id}"}
    return await answered(run, 200 if has_settled else 202, location)


@router.get("", response_model=Page[Run], responses=problems(*COMMON, "session_not_found"))
async def list_runs(session: SessionDep, paging: PagingDep, services: ServicesDep) -> Response:
    """List the session's runs, the newest first, without their plans and steps."""
    return await answered(await services.store.runs.list(session.id, paging.limit, paging.cursor))


@router.get(
    "/{run_id}",
    response_model=Run,
    responses=problems(*COMMON, "session_not_found", "run_not_found"),
)
async def read_run(run_id: RunId, session: SessionDep, services: ServicesDep) -> Response:
    """Return a run with its steps and, once it has ended, its result or error."""
    return await answered(await services.store.runs.get(session.id, run_id))


@router.get("/{run_id}/turns", responses=problems(*COMMON, "session_not_found", "run_not_found"))
async def read_turns(run_id: RunId, session: SessionDep, services: ServicesDep) -> list[Turn]:
    """Return what the run's planner has decided, turn by turn, with the arguments of each call."""
    return list(await services.store.runs.turns(session.id, run_id))


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    response_model=Run,
    responses=problems(*COMMON, "session_not_found", "run_not_found"),
)
async def cancel_run(run_id: RunId, session: SessionDep, services: ServicesDep) -> Response:
    """Ask a run to end; one that has ended stays as it is."""
    return await answered(await services.store.runs.cancel(session.id, run_id), 202)
