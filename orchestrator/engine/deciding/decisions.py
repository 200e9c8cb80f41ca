"""Has a planner decide, with all that it is told and may use."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from common.errors import ClientError, SystemFault
from common.logs import get_logger
from common.off_loop import is_small, off_loop
from common.plans import Message
from common.tools import Tools
from orchestrator.engine.budget import BudgetMeter
from orchestrator.engine.deciding.drafts import draft
from orchestrator.engine.deciding.earlier import earlier_runs
from orchestrator.engine.deciding.instructions import WorkspaceInstructions
from orchestrator.engine.deciding.speech import RunSpeech
from orchestrator.engine.purse import RunPurse
from orchestrator.engine.state import RunState
from orchestrator.engine.steps import Now, utc_now
from orchestrator.planners.protocol import (
    EarlierRun,
    History,
    PastTurn,
    Planner,
    Surroundings,
    Wishes,
)
from orchestrator.store.records import RunDocument, StoredTurn
from orchestrator.store.store import Store

log = get_logger(__name__)
TOOLS_PAUSE = 0.5
"""Seconds before the tools are asked for again."""


class Decider:
    """Asks the planner of a run what to do next."""

    def __init__(
        self,
        planners: Mapping[str, Planner],
        tools: Callable[[], Awaitable[Tools]],
        store: Store,
        instructions: WorkspaceInstructions,
        now: Now = utc_now,
    ) -> None:
        self._planners = planners
        self._tools = tools
        self._runs = store.runs
        self._conversation = store.conversation
        self._instructions = instructions
        self._now = now

    def seconds_for(self, run: RunState, budget: BudgetMeter) -> float | None:
        """Return how long a decision may take, None for one that a planner makes by itself, at once.

        Raises `deadline_exceeded`; a run that has done all in time can still say so.
        """
        return budget.seconds_left() if self.converses(run) else None

    def converses(self, run: RunState) -> bool:
        """Tell whether a decision of a run's planner takes a while: a model is asked for it."""
        return self._planner(run).converses

    async def next(self, run: RunState, budget: BudgetMeter) -> StoredTurn:
        """Return the next turn of a run, which is not stored yet.

        May be cancelled at any time: what was reserved for a model's answer is lost then.
        """
        asked, planner = run.lease.run, self._planner(run)
        # It waits for the execution environment; whoever comes after it finds that there.
        instructions, messages = await self._said(planner, run, budget)
        tools = await self._known_tools(planner)
        history = History(
            asked.goal,
            asked.plan,
            run.history,
            [PastTurn(turn, turn.message) for turn in run.turns],
            messages,
            budget.left,
            _wishes(asked, run.turns[0].workspace_instructions if run.turns else instructions),
        )
        async with RunSpeech(self._conversation, run.lease, run.next_turn) as speech:
            around = self._around(run, _offered(tools, asked), speech)
            decision = await planner.next(history, around)
        # it may hold a thousand calls, or megabytes, and renewals share the loop
        given = decision, run, tools, self._now(), messages, instructions
        return await off_loop(is_small(decision, messages, instructions), draft, *given)

    def _planner(self, run: RunState) -> Planner:
        name = run.lease.run.planner
        if name not in self._planners:
            raise ClientError("invalid_request", f"There is no planner '{name}' here")
        return self._planners[name]

    async def _known_tools(self, planner: Planner) -> Tools:
        while True:
            try:
                return await self._tools()
            except SystemFault as failure:
                log.warning("the tools are not known", code=failure.code, detail=failure.detail)
            if not planner.converses:
                # Calls of unknown effect are made one after the other, and wait for the service anyway.
                return {}
            # A model cannot be asked without them: the run's seconds bound the wait.
            await asyncio.sleep(TOOLS_PAUSE)

    async def _said(
        self, planner: Planner, run: RunState, budget: BudgetMeter
    ) -> tuple[str | None, Sequence[Message]]:
        """Return the workspace's instructions and what people have sent.

        The run's first turn is to keep the former: what the run writes does not change them.
        """
        if run.turns or not planner.converses:
            return None, await self._messages(planner, run)
        reading = asyncio.create_task(self._instructions.read(run.lease, budget.seconds_left()))
        try:  # the one is a call, and the model waits for both
            messages = await self._messages(planner, run)
            return await reading, messages
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _messages(self, planner: Planner, run: RunState) -> Sequence[Message]:
        """Return what people have sent; who does not converse sees it only where it holds the run up."""
        last = run.last_turn
        is_held_up = last is not None and not (last.answer is None and last.question is None)
        if not planner.converses and not is_held_up:
            return ()
        return await self._conversation.messages(run.lease)

    def _around(self, run: RunState, tools: Tools, speech: RunSpeech) -> Surroundings:
        purse = RunPurse(self._conversation, run.lease, run.spending)
        return Surroundings(tools, speech, purse, lambda most: self._earlier(run, most))

    async def _earlier(self, run: RunState, most: int) -> Sequence[EarlierRun]:
        if most not in run.earlier:
            run.earlier[most] = await earlier_runs(self._runs, run.lease, most)
        return run.earlier[most]


def _offered(tools: Tools, asked: RunDocument) -> Tools:
    """Return the tools that a run may use: a model that may only read is not offered what would be refused."""
    if asked.access == "read_write":
        return tools
    return {name: spec for name, spec in tools.items() if spec.effect == "read"}


def _wishes(asked: RunDocument, workspace_instructions: str | None) -> Wishes:
    return Wishes(
        asked.model, asked.instructions, workspace_instructions, asked.tools, asked.output_schema
    )
