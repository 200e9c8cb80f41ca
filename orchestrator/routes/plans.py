"""Plans that nobody has started: what they would do."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from common.approvals.reviews import PlanPreview, PreviewedPlan
from common.ids import new_id
from common.plans import Turn
from common.runs import Budget, RunCreate
from common.sessions import Session
from common.tools import Tools
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import problems
from orchestrator.approvals.judging import Judge
from orchestrator.approvals.showing import shown_calls, turn_of
from orchestrator.approvals.weighing import Weighed, weigh
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    REHEARSING,
    Rehearsals,
    RehearsalsDep,
    ServicesDep,
    UserDep,
    count_run,
)
from orchestrator.store.records import RuleLayers, RunDocument

router = APIRouter(prefix="/v1/plans", tags=["approval"], route_class=JsonRoute)
_PLANNER = "plan"
_EXAMPLES = [
    {
        "session_id": "ses_" + "0" * 32,
        "plan": {
            "steps": [
                {
                    "name": "note",
                    "tool": "write_file",
                    "arguments": {"path": "notes.txt", "content": "Hello\n"},
                }
            ]
        },
    }
]


@router.post(
    "/preview",
    response_model=PreviewedPlan,
    dependencies=[Depends(count_run)],
    responses=problems(*COMMON, *BODY, *REHEARSING, "session_not_found", "invalid_plan"),
)
async def preview_plan(
    body: Annotated[PlanPreview, Body(examples=_EXAMPLES)],
    user: UserDep,
    services: ServicesDep,
    rehearsals: RehearsalsDep,
) -> Response:
    """Return what each change of a plan would do to the files as they are, and whether it would ask.

    It is judged by the rules of the user and the session, as if changes had to be asked for. Nothing is
    kept of it, but for the audit trail's record of each dry run.
    """
    session = await services.store.sessions.get(body.session_id, user)
    tools = await services.catalogue.tools()
    check = services.planners[_PLANNER].check
    await asyncio.to_thread(check, RunCreate(plan=body.plan), tools)
    layers = await services.store.rules.for_run(session.id, user)
    turn = await asyncio.to_thread(turn_of, body.plan, tools)
    document = _as_if_asked(session, rehearsals)
    calls = await asyncio.to_thread(_weighed, turn, document, layers, tools)
    review = await rehearsals.of(session).review(turn.t, calls, shows_all=True)
    shown = await asyncio.to_thread(shown_calls, turn, review, ())
    return await answered(PreviewedPlan(calls=shown))


def _as_if_asked(session: Session, rehearsals: Rehearsals) -> RunDocument:
    """Return a run of which every change asks."""
    return RunDocument(
        id=new_id("run"),
        session_id=session.id,
        goal=None,
        plan=None,
        planner=_PLANNER,
        budget=Budget(),
        request_id=rehearsals.origin.request_id,
        request_source=rehearsals.origin.source,
        traceparent=None,
        approval="writes",
    )


def _weighed(turn: Turn, document: RunDocument, layers: RuleLayers, tools: Tools) -> list[Weighed]:
    return weigh(turn, Judge(document, layers, tools), (), None, is_first=True)
