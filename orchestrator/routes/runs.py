"""Runs: start, list, read, cancel."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from common.errors import ClientError, FieldError
from common.ids import RunId, new_id
from common.models import Page
from common.plans import Turn
from common.runs import FINAL_EVENTS, FINAL_STATUSES, Run, RunCreate
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import Responses, problems
from common.web.prefer import preferred_wait
from orchestrator.planners.protocol import Planner
from orchestrator.planners.registry import default_planner
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    IdempotencyKey,
    PagingDep,
    Services,
    ServicesDep,
    SessionDep,
    SourceDep,
    count_run,
    idempotency,
)
from orchestrator.store.records import RunDocument
from orchestrator.streaming.frames import START

MAX_WAIT = 300
"""Seconds that `Prefer: wait=N` (RFC 7240) can hold the answer back."""
_SETTLED = FINAL_STATUSES | {"awaiting_approval", "awaiting_input"}
_TELLING = FINAL_EVENTS | {"run.queued", "run.awaiting_approval", "run.awaiting_input", "gap"}
"""Events behind which a run may have settled."""
_FINISHED: Responses = {
    200: {
        "model": Run,
        "description": "The run has ended within `Prefer: wait=N`, or waits for a person",
    }
}
_FOR_A_MODEL = ("model", "instructions", "tools", "output_schema")
"""What of a run only a model can keep to."""
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
    request: Request,
    session: SessionDep,
    source: SourceDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
    prefer: Annotated[Sequence[str], Header()] = (),
) -> Response:
    """Start a run for a goal or a plan; with `Prefer: wait=N` answer when it has ended."""
    document = RunDocument(
        id=new_id("run"),
        session_id=session.id,
        goal=body.goal,
        plan=body.plan,
        planner=await _checked_planner(body, services),
        budget=body.budget,
        request_id=request.state.request_id,
        request_source=source,
        traceparent=request.state.traceparent,
        approval=body.approval or services.approval,
        access=body.access,
        **{name: getattr(body, name) for name in _FOR_A_MODEL},
    )
    key = await asyncio.to_thread(idempotency, idempotency_key, body)
    run_id = await services.store.runs.create(document, body.on_busy, key, user_id=session.user_id)
    wanted, run = preferred_wait(prefer), None
    if wanted is not None:
        run = await _wait(services, session.id, run_id, min(wanted, MAX_WAIT))
    run = run or await services.store.runs.get(session.id, run_id)
    has_settled = wanted is not None and run.status in _SETTLED
    location = {"Location": f"/v1/sessions/{session.id}/runs/{run_id}"}
    return await answered(run, 200 if has_settled else 202, location)


async def _checked_planner(body: RunCreate, services: Services) -> str:
    name = body.planner or default_planner(services.planners, has_plan=body.plan is not None)
    if name not in services.planners:
        raise ClientError("invalid_request", f"There is no planner '{name}'")
    planner = services.planners[name]
    _check_wishes(body, planner)
    tools = await services.catalogue.tools() if planner.checks_tools or body.tools else {}
    # A long goal, a plan of a thousand steps or a large schema takes longer than others should wait.
    await asyncio.to_thread(planner.check, body, tools)
    return name


def _check_wishes(body: RunCreate, planner: Planner) -> None:
    """Refuse what this planner would pass over in silence, and a planner that is not there."""
    name, reason = planner.spec.name, planner.spec.reason
    if not planner.spec.available:
        raise ClientError("invalid_request", f"The planner '{name}' is not available: {reason}")
    given = [wish for wish in _FOR_A_MODEL if getattr(body, wish) is not None]
    if given and not planner.converses:
        why = f"The planner '{name}' asks no model"
        fields = [FieldError(field=wish, message=why) for wish in given]
        raise ClientError("invalid_request", f"{why}: leave out {', '.join(given)}", fields=fields)


async def _wait(services: Services, session_id: str, run_id: str, seconds: float) -> Run | None:
    """Return the run once it has ended or waits for a person; None when that takes longer."""
    settling = asyncio.create_task(_settled(services, session_id, run_id))
    try:
        # Not by a timeout: a command of Redis may swallow its cancel (asyncio.wait_for before 3.12).
        await asyncio.wait({settling}, timeout=seconds)
        return settling.result() if settling.done() else None
    finally:
        settling.cancel()


async def _settled(services: Services, session_id: str, run_id: str) -> Run | None:
    """Return the run once its state says so; None where its events end before.

    They only tell when to look, the first one included.
    """
    start = START.not_before(await services.store.events.first_seq(session_id, run_id))
    async with aclosing(services.connections.follow(session_id, start, run_id)) as batches:
        async for batch in batches:
            if any(frame.event.type in _TELLING for frame in batch):
                run = await services.store.runs.get(session_id, run_id)
                if run.status in _SETTLED:
                    return run
    return None


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
