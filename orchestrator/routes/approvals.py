"""The turn of a run that waits for a person: shown, edited, answered."""

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Body, Response

from common.approvals.reviews import ApprovalAnswer, PlanReplace, TurnPlan
from common.errors import SystemFault
from common.ids import RunId
from common.runs import Run
from common.tools import Tools
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import problems
from orchestrator.approvals.answers.answering import Answering
from orchestrator.approvals.answers.editing import Editing
from orchestrator.approvals.showing import turn_plan
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    REHEARSING,
    RehearsalsDep,
    Services,
    ServicesDep,
    SessionDep,
)
from orchestrator.routes.revisions import RevisionDep, etag, if_match, shows
from orchestrator.store.approvals.reviews import WaitingTurn

router = APIRouter(
    prefix="/v1/sessions/{session_id}/runs/{run_id}", tags=["approval"], route_class=JsonRoute
)
_MISSING = ("session_not_found", "run_not_found")
_SAYING = (
    *BODY,
    *_MISSING,
    *REHEARSING,
    "precondition_failed",
    "invalid_state",
    "output_too_large",
)
"""The errors of what a person says of a turn."""
_SHOWN = shows(TurnPlan, "The calls, what each would do, and what was said of it")
_EDITS = [{"calls": [{"n": 1, "arguments": {"path": "notes.txt", "content": "Hello\n"}}]}]
_ANSWERS = [
    {"decision": "approve"},
    {"decision": "approve", "remember": {"tool": "edit_file", "path": "docs/**"}},
    {"decision": "reject", "steps": [2], "reason": "That file is generated"},
]


@router.get("/plan", response_model=TurnPlan, responses=_SHOWN | problems(*COMMON, *_MISSING))
async def read_plan(run_id: RunId, session: SessionDep, services: ServicesDep) -> Response:
    """Return the calls of a run's last turn, with what each would do; of a plan to come, its calls."""
    return await _shown(services, session.id, run_id)


@router.put(
    "/plan",
    response_model=TurnPlan,
    responses=_SHOWN | problems(*COMMON, *_SAYING, "invalid_plan"),
    openapi_extra=if_match(required=True),
)
async def replace_plan(
    body: Annotated[PlanReplace, Body(examples=_EDITS)],
    run_id: RunId,
    session: SessionDep,
    services: ServicesDep,
    revision: RevisionDep,
    rehearsals: RehearsalsDep,
) -> Response:
    """Replace arguments of calls that wait; those are previewed anew, and all asks under a new ETag.

    Calls that are left out stay as they are. None is added, none becomes one of another tool.
    """
    editing = Editing(services.store.reviews, services.store.rules, services.catalogue.tools)
    await editing.replace(session, run_id, revision, body, rehearsals.of(session, run_id))
    return await _shown(services, session.id, run_id)


@router.post(
    "/approval",
    status_code=202,
    response_model=Run,
    responses=problems(*COMMON, *_SAYING),
    openapi_extra=if_match(required=True),
)
async def answer_plan(
    body: Annotated[ApprovalAnswer, Body(examples=_ANSWERS)],
    run_id: RunId,
    session: SessionDep,
    services: ServicesDep,
    revision: RevisionDep,
) -> Response:
    """Approve or reject the turn that waits, or some of its calls; once none asks, the run goes on.

    The same answer to the same plan again changes nothing, whatever has happened since.
    """
    answering = Answering(services.store.reviews)
    await answering.answer(session, run_id, revision, body)
    return await answered(await services.store.runs.get(session.id, run_id), 202)


async def _shown(services: Services, session_id: str, run_id: str) -> Response:
    waiting = await services.store.reviews.get(session_id, run_id)
    plan = await asyncio.to_thread(turn_plan, waiting, await _known_tools(services, waiting))
    return await answered(plan, headers={"ETag": etag(plan.plan_revision)})


async def _known_tools(services: Services, waiting: WaitingTurn) -> Tools:
    """Return the tools where only they can tell the effects; none while nobody can tell them."""
    if waiting.turn is None and waiting.document.plan is not None:
        with suppress(SystemFault):
            return await services.catalogue.tools()
    return {}
