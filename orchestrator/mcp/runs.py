"""What an agent that drives others can do: start runs, look at them, answer for them, cancel them."""

import asyncio
import json
from contextlib import aclosing
from typing import Annotated

from pydantic import Field

from common.approvals.reviews import ApprovalAnswer, TurnPlan
from common.errors import Problem
from common.ids import Name, RunId, SessionId
from common.models import Items, Lenient, Strict
from common.runs import (
    FINAL_STATUSES,
    MessageCreate,
    Run,
    RunCreate,
    RunStatus,
    RunUsage,
    StepStatus,
)
from common.sessions import Session
from common.tools import Receipt
from orchestrator.approvals.answers.answering import Answering
from orchestrator.approvals.showing import turn_plan
from orchestrator.mcp.callers import Caller, Context
from orchestrator.mcp.sessions import Sessions
from orchestrator.routes.dependencies import Services, starter_of
from orchestrator.routes.messages import require_hearing
from orchestrator.routes.runs import MAX_WAIT
from orchestrator.starting import idempotency
from orchestrator.streaming.frames import START

Wait = Annotated[float, Field(ge=0, le=MAX_WAIT)]
"""Seconds to wait until the run has ended, or waits for a person."""
LAST = 1.0
"""Seconds in which a client is told of what came together with the end of its run."""
_DONE = ("step.succeeded", "step.failed")


class StartRun(RunCreate):
    """A goal in words, or a plan, and in which of the user's workspaces."""

    workspace: Name
    wait: Wait = 0.0


class WhichRun(Strict):
    """A run, as `start_run` has named it."""

    session_id: SessionId
    run_id: RunId


class RunStatusOf(WhichRun):
    """A run, and how long to wait for it."""

    wait: Wait = 0.0


class Approve(WhichRun, ApprovalAnswer):
    """An answer to the calls of a run that waits, which `run_status` shows."""

    plan_revision: Annotated[int, Field(ge=1)]
    """That of the plan that the answer is about."""


class SendMessage(WhichRun, MessageCreate):
    """The answer to a run's question, or what its model is to mind from now on."""


class StepTold(Lenient):
    """A step, without what its tool gave."""

    n: int
    tool: str
    status: StepStatus
    error: Problem | None = None


class RunTold(Lenient):
    """A run in short."""

    session_id: SessionId
    run_id: RunId
    status: RunStatus
    answer: str | None = None
    changes: Items[Receipt] = []
    error: Problem | None = None
    question: str | None = None
    """What a run that is `awaiting_input` wants to know: `send_message` answers it."""
    plan: TurnPlan | None = None
    """What a run that is `awaiting_approval` asks: `approve` answers it."""
    steps: Items[StepTold] = []
    usage: RunUsage = RunUsage()


class Runs:
    """Runs of a user's, in the sessions that their MCP clients have."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions

    async def start(
        self, caller: Caller, context: Context, asked: StartRun, key: str | None
    ) -> RunTold:
        """Start a run; the same key again gives the one that it has started."""
        await self._services.limits.count_run(caller.user_id)
        session = await self._sessions.of(caller.user_id, asked.workspace)
        body = RunCreate(**{name: getattr(asked, name) for name in RunCreate.model_fields})
        starter = starter_of(self._services)
        run_id = await starter.start(session, body, caller.origin, _own(key))
        return await self._awaited(context, session, run_id, asked.wait)

    async def status(self, caller: Caller, context: Context, asked: RunStatusOf) -> RunTold:
        """Return a run as it is, or as it is once it has settled."""
        session = await self._services.store.sessions.get(asked.session_id, caller.user_id)
        return await self._awaited(context, session, asked.run_id, asked.wait)

    async def cancel(self, caller: Caller, asked: WhichRun) -> RunTold:
        """Ask a run to end."""
        session = await self._services.store.sessions.get(asked.session_id, caller.user_id)
        return await self._told(await self._services.store.runs.cancel(session.id, asked.run_id))

    async def approve(self, caller: Caller, asked: Approve) -> RunTold:
        """Answer the calls that wait."""
        session = await self._services.store.sessions.get(asked.session_id, caller.user_id)
        said = ApprovalAnswer(
            **{name: getattr(asked, name) for name in ApprovalAnswer.model_fields}
        )
        answering = Answering(self._services.store.reviews)
        await answering.answer(session, asked.run_id, asked.plan_revision, said)
        return await self._told(await self._services.store.runs.get(session.id, asked.run_id))

    async def send(self, caller: Caller, asked: SendMessage, key: str | None) -> RunTold:
        """Answer a run's question, or tell its model something."""
        session = await self._services.store.sessions.get(asked.session_id, caller.user_id)
        await require_hearing(self._services, session.id, asked.run_id)
        known = idempotency(_own(key), MessageCreate(text=asked.text))
        messages = self._services.store.messages
        run = await messages.send(
            session.id, asked.run_id, asked.text, known, user_id=session.user_id
        )
        return await self._told(run)

    async def _awaited(
        self, context: Context, session: Session, run_id: str, seconds: float
    ) -> RunTold:
        """Return a run once it has settled, or after so many seconds; its steps are told meanwhile."""
        run = None
        if seconds:
            async with self._services.limits.stream(session.user_id):
                telling = asyncio.create_task(self._tell(context, session.id, run_id))
                try:
                    run = await self._services.settling.within(seconds, session.id, run_id)
                    if run is not None and run.status in FINAL_STATUSES:
                        await asyncio.wait({telling}, timeout=LAST)
                finally:
                    telling.cancel()
        return await self._told(run or await self._services.store.runs.get(session.id, run_id))

    async def _tell(self, context: Context, session_id: str, run_id: str) -> None:
        """Report each step that is done, where the client wants to hear of it."""
        start = START.not_before(await self._services.store.events.first_seq(session_id, run_id))
        follow, done = self._services.connections.follow, 0
        async with aclosing(follow(session_id, start, run_id)) as batches:
            async for batch in batches:
                for frame in batch:
                    if frame.event.type in _DONE:
                        done += 1
                        told = json.loads(frame.json)["data"]
                        await context.session.report_progress(done, message=told["tool"])

    async def _told(self, run: Run) -> RunTold:
        plan = None
        if run.status == "awaiting_approval":
            waiting = await self._services.store.reviews.get(run.session_id, run.id)
            plan = await asyncio.to_thread(turn_plan, waiting, {})
        return RunTold(
            session_id=run.session_id,
            run_id=run.id,
            status=run.status,
            answer=None if run.result is None else run.result.answer,
            changes=[] if run.result is None else run.result.changes,
            error=run.error,
            question=run.question,
            plan=plan,
            steps=[
                StepTold(n=step.n, tool=step.tool, status=step.status, error=step.error)
                for step in run.steps
            ],
            usage=run.usage,
        )


def _own(key: str | None) -> str | None:
    """Return a key as no request over REST can have it."""
    return None if key is None else f"\0mcp {key}"
