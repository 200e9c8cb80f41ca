"""The gate before a turn: nothing of it is done before all of it that asks a person has an answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from common.errors import Problem, SystemFault
from common.logs import get_logger
from common.plans import Turn, TurnCall
from common.tools import Tools
from orchestrator.approvals.judging import Judge
from orchestrator.approvals.previewing import Previewer
from orchestrator.approvals.reviewing import asked_anew, reviewed
from orchestrator.approvals.weighing import Weighed, is_first_with_calls, weigh
from orchestrator.engine.calls import dry_runs_of
from orchestrator.engine.granting import Grant, granted, unasked
from orchestrator.engine.state import RunState
from orchestrator.execution.retrying import Cancelled, Executor
from orchestrator.store.approvals.rules import RuleStore
from orchestrator.store.records import Review, ReviewedCall, RuleLayers, StoredStep

log = get_logger(__name__)
FRESH = 0.1
"""Seconds for which rules that were read are taken for those of the moment: a look costs as much as a
tenth of a step."""
TOOLS_PAUSE = 0.5
"""Seconds before the tools are asked for again."""


class WaitingForApproval(Exception):  # a state of affairs, not an error
    """The run goes on only when a person has answered to its turn.

    `again` is the call that was refused for what it would have changed by now, with its step.
    """

    def __init__(self, review: Review, again: tuple[StoredStep, TurnCall] | None = None) -> None:
        super().__init__(review.asking)
        self.review = review
        self.again = again


@dataclass
class Admission:
    """How calls may be made, by number, the rules that were asked about it, and when that was."""

    grants: Mapping[int, Grant]
    layers: RuleLayers
    looked_at: float
    """By the clock of `time.monotonic`; what comes later than this was not read."""


class Gate:
    """Lets the calls of a turn through, each in the way that it may be made."""

    def __init__(
        self,
        rules: RuleStore,
        tools: Callable[[], Awaitable[Tools]],
        executor: Executor,
        call_timeout: timedelta,
    ) -> None:
        self._rules = rules
        self._tools = tools
        self._executor = executor
        self._call_timeout = call_timeout.total_seconds()

    async def admit(self, run: RunState, turn: Turn, seconds_left: float) -> Admission:
        """Return how calls that are left may be made: those up to the first that has to wait.

        A call waits for what it refers to, and is judged when that is there. Rules count as they are now.

        Raises WaitingForApproval where a person has to be asked, Cancelled when the run is to stop, or
        the fault that keeps the gate from knowing.
        """
        document, before = run.lease.run, run.review_of(turn)
        looked_at = time.monotonic()
        layers = await self._layers(run)
        judge = await self._judge(run, before, layers, seconds_left)
        if judge.is_open and before is None:
            grants = {call.n: unasked(call, document) for call in run.left_of(turn)}
            return Admission(grants, layers, looked_at)
        calls = await self._weighed(run, turn, judge, before)
        if any(one.state == "asks" for one in calls):
            review = await self._review(run, turn, calls, before, seconds_left)
            if review.asking:
                raise WaitingForApproval(review)
            calls = _as_reviewed(calls, review)
        grants = {one.call.n: granted(one, document) for one in _until_deferred(calls)}
        return Admission(grants, layers, looked_at)

    async def holds(self, run: RunState, admission: Admission) -> bool:
        """Tell whether the rules are still those that were asked, but for the last tenth of a second."""
        now, session = time.monotonic(), run.lease.session
        if now - admission.looked_at < FRESH:
            return True
        admission.looked_at = now
        return await self._rules.are_still(admission.layers, session.id, session.user_id)

    async def ask_again(
        self, run: RunState, turn: Turn, n: int, step: StoredStep | None, seconds_left: float
    ) -> Problem:
        """Ask about all that is left of a turn once more: what call `n` would change is not what was shown.

        `step` is its step, where it was begun: its next call gets a number of its own. Returns the error
        of a call that cannot be made at all by now, where nothing else asks either.

        Raises WaitingForApproval, and as `admit` does.
        """
        shown = run.review_of(turn) or Review(t=turn.t, calls=[])
        before = asked_anew(shown, {call.n for call in run.left_of(turn)})
        before = _asking(n, before, is_begun=step is not None)
        judge = await self._judge(run, before, await self._layers(run), seconds_left)
        calls = await self._weighed(run, turn, judge, before)
        review = await self._review(run, turn, calls, before, seconds_left)
        call = next(one for one in turn.calls if one.n == n)
        if review.asking:
            pending = (
                None if step is None else (step.model_copy(update={"status": "pending"}), call)
            )
            raise WaitingForApproval(review, pending)
        [now] = [one for one in _as_reviewed(calls, review) if one.call.n == n]
        refusal = granted(now, run.lease.run).refusal
        preview = now.reviewed.preview
        problem = refusal or (None if preview is None else preview.error)
        if problem is None:
            raise RuntimeError(f"call {n} neither asks nor is refused")
        return problem

    async def _layers(self, run: RunState) -> RuleLayers:
        return await self._rules.for_run(run.lease.session.id, run.lease.session.user_id)

    async def _judge(
        self, run: RunState, before: Review | None, layers: RuleLayers, seconds_left: float
    ) -> Judge:
        """Return what judges by these rules; one that is open needs to know no tools."""
        lease = run.lease
        if before is None and not any(layers.in_order):
            judge = Judge(lease.run, layers, {})
            if judge.is_open:
                return judge
        tools = await self._known_tools(run, seconds_left)
        return await asyncio.to_thread(Judge, lease.run, layers, tools)

    async def _known_tools(self, run: RunState, seconds_left: float) -> Tools:
        """Return the tools, also when that takes time: without them nobody knows what a call touches."""
        deadline = time.monotonic() + seconds_left
        while not run.is_interrupted:
            try:
                return await self._tools()
            except SystemFault as failure:
                log.warning("the tools are not known", code=failure.code, detail=failure.detail)
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(TOOLS_PAUSE)
        raise Cancelled

    async def _weighed(
        self, run: RunState, turn: Turn, judge: Judge, before: Review | None
    ) -> Sequence[Weighed]:
        is_first = is_first_with_calls(turn, run.turns)
        return await asyncio.to_thread(weigh, turn, judge, run.history, before, is_first=is_first)

    async def _review(
        self,
        run: RunState,
        turn: Turn,
        calls: Sequence[Weighed],
        before: Review | None,
        seconds_left: float,
    ) -> Review:
        timeout = min(self._call_timeout, seconds_left)
        previewer = Previewer(dry_runs_of(run, self._executor, timeout), run.lease.run.request_id)
        return await reviewed(turn.t, calls, previewer, before)


def _as_reviewed(calls: Iterable[Weighed], review: Review) -> list[Weighed]:
    entries = review.by_number
    return [replace(one, reviewed=entries[one.call.n]) for one in calls]


def _until_deferred(calls: Iterable[Weighed]) -> Iterable[Weighed]:
    for one in calls:
        if one.state == "deferred":
            return
        yield one


def _asking(n: int, review: Review, *, is_begun: bool) -> Review:
    """Return a review in which call `n` asks, under a further number if it was begun."""
    entries = dict(review.by_number)
    entry = entries.get(n) or ReviewedCall(n=n, state="asks")
    k = entry.k + 1 if is_begun else entry.k
    entries[n] = entry.model_copy(update={"state": "asks", "k": k, "preview": None})
    calls = sorted(entries.values(), key=lambda one: one.n)
    return review.model_copy(update={"calls": calls})
