"""Messages: what people tell a run while it goes on, or answer to its question."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from common.errors import ClientError
from common.ids import RunId
from common.runs import FINAL_STATUSES, MessageCreate, Run
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import problems
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    IdempotencyKey,
    Services,
    ServicesDep,
    SessionDep,
)
from orchestrator.starting import idempotency

router = APIRouter(
    prefix="/v1/sessions/{session_id}/runs/{run_id}/messages",
    tags=["runs"],
    route_class=JsonRoute,
)
_REFUSALS = ("session_not_found", "run_not_found", "invalid_state", "queue_full")
_EXAMPLES = [{"text": "Leave the tests as they are"}]


@router.post(
    "", status_code=202, response_model=Run, responses=problems(*COMMON, *BODY, *_REFUSALS)
)
async def send_message(
    body: Annotated[MessageCreate, Body(examples=_EXAMPLES)],
    run_id: RunId,
    session: SessionDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer the question of a run that waits, or tell its model what to mind at its next turn.

    A run that works without a model takes an answer only, one that has ended takes nothing.
    """
    await require_hearing(services, session.id, run_id)
    key = idempotency(idempotency_key, body)
    run = await services.store.messages.send(
        session.id, run_id, body.text, key, user_id=session.user_id
    )
    return await answered(run, 202)


async def require_hearing(services: Services, session_id: str, run_id: str) -> None:
    """Raise `invalid_state` where nobody would read a message; the store refuses it to ended runs."""
    run = await services.store.runs.get(session_id, run_id)
    planner = services.planners.get(run.planner)
    converses = planner is None or planner.converses  # a newer program's: its worker knows
    if converses or run.status == "awaiting_input" or run.status in FINAL_STATUSES:
        return
    detail = f"The planner '{run.planner}' reads no messages while it works"
    raise ClientError("invalid_state", detail)
