"""Executes one run: has each turn decided and stored, performs it, records the ending."""

import asyncio
import json

from common.errors import AgenticError
from common.folding import fold
from common.logs import get_logger
from common.runs import RunResult
from orchestrator.engine.budget import BudgetMeter
from orchestrator.engine.decisions import Decider
from orchestrator.engine.signals import Signals
from orchestrator.engine.state import RunState
from orchestrator.engine.turns import TurnMaker, known_ending
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.records import CANCELLED, Ending, Lease, StoredTurn
from orchestrator.store.store import Store

log = get_logger(__name__)


class Waiting(Exception):  # a state of affairs, not an error
    """The run goes on only when a person has answered."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


class Runner:
    """Takes a leased run to its end, or to the next step boundary when the worker drains."""

    def __init__(self, store: Store, decider: Decider, turns: TurnMaker) -> None:
        self._leases = store.leases
        self._progress = store.progress
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
            question = json.dumps({"question": waiting.question})
            await self._leases.park(lease, "awaiting_input", question)
            return
        if ending is None:
            await self._leases.release(lease)
            return
        await self._progress.finish(lease, ending)
        code = None if ending.error is None else ending.error.code
        log.info("run ended", status=ending.status, steps=len(run.history), code=code)

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
        """Return how the run ended; None when the worker drains before that."""
        budget = BudgetMeter(run)
        while not run.signals.draining.is_set():
            try:
                ending = known_ending(run) or await self._advance(run, budget)
            except StoreUnavailable:
                raise
            except AgenticError as failure:
                problem = failure.problem("orchestrator", run.lease.run.request_id)
                return Ending("failed", error=problem)
            if ending is not None:
                return ending
        return None

    async def _advance(self, run: RunState, budget: BudgetMeter) -> Ending | None:
        """Take the run one turn further; return its ending when it has one."""
        # With a call in flight, a cancelled run first finds out what became of that.
        if run.signals.cancelled.is_set() and not run.has_open_call:
            return CANCELLED
        if run.lease.adopted is not None and not run.turns:
            await self._record(run, run.lease.adopted)
            return None  # what its steps mean is asked first
        turn = run.unfinished_turn()
        if turn is None:
            turn = await self._decider.next(run, budget)
            if turn.answer is not None:
                return await _success(run, turn)
            await self._record(run, turn)
        if turn.question is not None:
            raise Waiting(turn.question)
        return await self._turns.perform(run, turn, budget)

    async def _record(self, run: RunState, turn: StoredTurn) -> None:
        await self._progress.record_turn(run.lease, turn)
        run.turns.append(turn)


async def _success(run: RunState, turn: StoredTurn) -> Ending:
    receipts = [step.receipts for step in run.history]
    changes = await asyncio.to_thread(fold, receipts)  # there may be many
    result = RunResult(answer=turn.answer or "", changes=changes)
    return Ending("succeeded", result=result, turn=turn)
