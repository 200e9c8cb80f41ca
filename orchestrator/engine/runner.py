"""Executes one run: has each turn decided and stored, performs it, records the ending."""

import asyncio
import json
from collections.abc import Awaitable
from datetime import timedelta

from common.errors import AgenticError, SystemFault, ToolError
from common.folding import fold
from common.logs import get_logger
from common.runs import RunResult
from orchestrator.engine.budget import BudgetMeter
from orchestrator.engine.deciding.decisions import Decider
from orchestrator.engine.gate import WaitingForApproval
from orchestrator.engine.signals import Signals
from orchestrator.engine.state import RunState
from orchestrator.engine.turns import TurnMaker, known_ending
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.records import CANCELLED, Ending, Lease, StoredTurn
from orchestrator.store.store import Store

log = get_logger(__name__)
FEW = 100
"""Receipts that are folded sooner than a thread is ready."""
MAX_IDLE_TURNS = 20
"""Decisions in a row that move nothing; a planner has bounds of its own, far below."""


class Waiting(Exception):  # a state of affairs, not an error
    """The run goes on only when a person has answered."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


class Runner:
    """Takes a leased run to its end, or to the next step boundary when the worker drains."""

    def __init__(
        self,
        store: Store,
        decider: Decider,
        turns: TurnMaker,
        patience: timedelta | None = None,
    ) -> None:
        """Run with the parts; `patience`: how long a person is waited for, who has to approve."""
        self._patience = patience
        self._leases = store.leases
        self._progress = store.progress
        self._conversation = store.conversation
        self._decider = decider
        self._turns = turns

    async def execute(self, lease: Lease, signals: Signals) -> None:
        """Run to the end and record it; give the lease back when asked to drain, or to wait.

        Raises StoreUnavailable: that is no ending, and whoever leases the run next goes on with it.
        """
        run = RunState(lease, signals)
        await self._confirm(run)
        try:
            ending = await self._until_ended(run)
        except Waiting as waiting:
            await self._leases.park(lease, json.dumps({"question": waiting.question}))
            return
        except WaitingForApproval as waiting:
            ending = await _ending_of(run, self._ask(lease, waiting))
            if ending is None:
                return
            await self._progress.finish(lease, ending)
        if ending is None:
            await self._leases.release(lease)
            return
        code = None if ending.error is None else ending.error.code
        log.info("run ended", status=ending.status, steps=len(run.history), code=code)

    async def _ask(self, lease: Lease, waiting: WaitingForApproval) -> Ending | None:
        """Let the run wait for a person, without the diffs where they are more than it can store.

        That is no ending, unless the run cannot store what it asks.
        """
        try:
            await self._leases.ask(lease, waiting.review, self._patience, waiting.again)
        except ToolError:
            review = waiting.review.without_diffs
            await self._leases.ask(lease, review, self._patience, waiting.again)
        return None

    async def _confirm(self, run: RunState) -> None:
        """See that the turns of earlier owners are where they have to be, before anything is done."""
        if not run.turns:
            return
        try:
            await self._progress.confirm_turns(run.lease)
        except StoreUnavailable:
            await self._leases.release(run.lease)  # the next attempt at it is no further one
            raise

    async def _until_ended(self, run: RunState) -> Ending | None:
        """Return the ending that was stored; None when the worker drains before there is one."""
        budget = BudgetMeter(run)
        while not run.signals.draining.is_set():
            ending = await _ending_of(run, self._advance(run, budget))
            while ending is not None:
                outcome = await self._progress.finish(run.lease, ending, run.unsaved)
                if outcome == "done":
                    return ending
                # People have said more meanwhile: the answer is a turn like any other. Or the last
                # steps have too much to keep, and what that means is asked anew.
                turn = ending.turn if outcome == "more" else None
                ending = await _ending_of(run, self._record(run, turn))
        await self._turns.save(run)
        return None

    async def _advance(self, run: RunState, budget: BudgetMeter) -> Ending | None:
        """Take the run one turn further; return its ending when it has one."""
        if (ending := known_ending(run)) is not None:
            return ending
        # With a call in flight, a cancelled run first finds out what became of that.
        if run.signals.cancelled.is_set() and not run.has_open_call:
            return CANCELLED
        last = run.last_turn
        if last is None and run.lease.adopted is not None:
            return await self._record(run, run.lease.adopted)  # what its steps mean is asked first
        if last is not None and run.left_of(last):
            return await self._turns.perform(run, last, budget)
        return await self._decide(run, budget)

    async def _is_answered(self, run: RunState) -> bool:
        """Tell whether there is an answer to the question of the last turn; no other message is one."""
        messages = await self._conversation.messages(run.lease)
        return any(message.is_answer for message in messages)

    async def _decide(self, run: RunState, budget: BudgetMeter) -> Ending | None:
        """Ask the planner; store its turn, unless that is the run's end."""
        question = None if run.last_turn is None else run.last_turn.question
        takes_long = question is not None or self._decider.converses(run)
        if takes_long and not await self._turns.save(run):
            return None
        if question is not None and not await self._is_answered(run):
            raise Waiting(question)
        if run.idle_turns >= MAX_IDLE_TURNS:
            why = f"{MAX_IDLE_TURNS} decisions in a row have made no call"
            raise SystemFault("stuck", why, actual=MAX_IDLE_TURNS)
        turn = await self._asked(run, budget)
        if turn is None:
            return CANCELLED
        if turn.answer is not None:
            return await _success(run, turn)
        return await self._record(run, turn)

    async def _asked(self, run: RunState, budget: BudgetMeter) -> StoredTurn | None:
        """Return the planner's next turn; None when the run is cancelled before there is one.

        Whatever happens, nothing of the planner is left behind.
        """
        seconds = self._decider.seconds_for(run, budget)
        deciding = asyncio.create_task(self._decider.next(run, budget))
        cancel = asyncio.create_task(run.signals.cancelled.wait())
        try:
            await asyncio.wait(
                {deciding, cancel}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if deciding.done():
                return deciding.result()
            if cancel.done():
                return None
            raise budget.deadline_exceeded()
        finally:
            deciding.cancel()
            cancel.cancel()
            await asyncio.gather(deciding, cancel, return_exceptions=True)

    async def _record(self, run: RunState, turn: StoredTurn | None) -> Ending | None:
        """Store the last steps, and a turn before anything of it is done: it is no ending."""
        is_as_it_was = await self._turns.save(run)
        if turn is not None and is_as_it_was:  # else it was decided by what is not so
            await self._progress.record_turn(run.lease, turn)
            run.note_turn(turn)
        return None


async def _ending_of(run: RunState, work: Awaitable[Ending | None]) -> Ending | None:
    """Return what work says of the run's end: an error of it is one."""
    try:
        return await work
    except StoreUnavailable:
        raise
    except AgenticError as failure:
        problem = failure.problem("orchestrator", run.lease.run.request_id)
        return Ending("failed", error=problem)


async def _success(run: RunState, turn: StoredTurn) -> Ending:
    receipts = [step.receipts for step in run.history]
    number = sum(map(len, receipts))
    changes = fold(receipts) if number <= FEW else await asyncio.to_thread(fold, receipts)
    result = RunResult(answer=turn.answer or "", changes=changes)
    return Ending("succeeded", result=result, turn=turn)
