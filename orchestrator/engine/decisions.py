"""Has a planner decide, and makes of its decision the turn that is stored."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from common.errors import ClientError, SystemFault
from common.logs import get_logger
from common.plans import TurnCall
from common.runs import FINAL_STATUSES
from common.tools import Tools
from orchestrator.engine.budget import BudgetMeter
from orchestrator.engine.state import RunState
from orchestrator.engine.steps import Now, utc_now
from orchestrator.planners.decisions import Ask, Call, CallTools, Decision, Finish
from orchestrator.planners.protocol import EarlierRun, History, PastTurn, Planner, Surroundings
from orchestrator.store.progress import Progress
from orchestrator.store.records import Lease, StoredTurn
from orchestrator.store.store import Store

log = get_logger(__name__)


class Saying:
    """What a planner says while it decides, piece by piece, for whoever looks at the run."""

    def __init__(self, progress: Progress, lease: Lease) -> None:
        self._progress = progress
        self._lease = lease
        self._said = 0

    async def say(self, text: str) -> None:
        """Show more of it."""
        await self._progress.append_text(self._lease, self._said, text)
        self._said += len(text.encode())


class Decider:
    """Asks the planner of a run what to do next."""

    def __init__(
        self,
        planners: Mapping[str, Planner],
        tools: Callable[[], Awaitable[Tools]],
        store: Store,
        now: Now = utc_now,
    ) -> None:
        self._planners = planners
        self._tools = tools
        self._runs = store.runs
        self._progress = store.progress
        self._now = now

    async def next(self, run: RunState, budget: BudgetMeter) -> StoredTurn:
        """Return the next turn of a run, which is not stored yet."""
        asked = run.lease.run
        planner = self._planners.get(asked.planner)
        if planner is None:
            raise ClientError("invalid_request", f"There is no planner '{asked.planner}' here")
        tools = await self._known_tools()
        past = [PastTurn(turn, turn.message) for turn in run.turns]
        history = History(asked.goal, asked.plan, run.history, past, left=budget.left)
        saying = Saying(self._progress, run.lease)
        around = Surroundings(tools, saying.say, lambda most: self._earlier(run, most))
        decision = await planner.next(history, around)
        # it may hold a thousand calls, and renewals share the loop
        return await asyncio.to_thread(_turn, decision, run, tools, self._now())

    async def _known_tools(self) -> Tools:
        try:
            return await self._tools()
        except SystemFault as failure:
            # Calls of unknown effect are made one after the other; they wait for the service anyway.
            log.warning("the tools are not known", code=failure.code, detail=failure.detail)
            return {}

    async def _earlier(self, run: RunState, most: int) -> Sequence[EarlierRun]:
        page = await self._runs.list(run.lease.session.id, most, run.lease.run.id)
        return [
            EarlierRun(
                earlier.id,
                earlier.goal,
                earlier.status,
                None if earlier.result is None else earlier.result.answer,
            )
            for earlier in reversed(page.items)
            if earlier.status in FINAL_STATUSES
        ]


def _turn(decision: Decision, run: RunState, tools: Tools, decided_at: datetime) -> StoredTurn:
    answered = decision.answered
    turn = StoredTurn(
        t=run.turns[-1].t + 1 if run.turns else 1,
        decided_at=decided_at,
        usage=None if answered is None else answered.usage,
        model=None if answered is None else answered.model,
        message=None if answered is None else answered.message,
    )
    match decision:
        case CallTools(calls):
            return turn.model_copy(update={"calls": _numbered(calls, run.next_number, tools)})
        case Finish(answer):
            return turn.model_copy(update={"answer": answer})
        case Ask(question):
            return turn.model_copy(update={"question": question})
        case _:
            assert_never(decision)


def _numbered(calls: Sequence[Call], first: int, tools: Tools) -> list[TurnCall]:
    return [
        TurnCall(
            n=n,
            name=call.name,
            tool=call.tool,
            arguments=call.arguments,
            on_error=call.on_error,
            effect=tools[call.tool].effect if call.tool in tools else "write",
            has_references=call.has_references,
        )
        for n, call in enumerate(calls, first)
    ]
