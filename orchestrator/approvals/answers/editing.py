"""Puts other arguments in place of those of calls that wait: checked, judged and previewed anew."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from common.approvals.reviews import PlanReplace
from common.errors import MAX_FIELDS, ClientError, FieldError, ToolError
from common.sessions import Session
from common.tools import Tools
from orchestrator.approvals.answers.edits import edits_of
from orchestrator.approvals.answers.saying import asked, is_about, unheard, weighed
from orchestrator.approvals.dry_running import Arguments
from orchestrator.approvals.judging import Judge
from orchestrator.approvals.rehearsing import Rehearsal
from orchestrator.approvals.weighing import Weighed
from orchestrator.store.approvals.reviews import ReviewStore, Said, WaitingTurn
from orchestrator.store.approvals.rules import RuleStore
from orchestrator.store.records import Review, ReviewedCall, RuleLayers

Edits = dict[int, Arguments]
"""New arguments by the number of their call."""


class Editing:
    """Stores what a person would have done in place of what was asked; it asks as that was."""

    def __init__(
        self, reviews: ReviewStore, rules: RuleStore, tools: Callable[[], Awaitable[Tools]]
    ) -> None:
        self._reviews = reviews
        self._rules = rules
        self._tools = tools

    async def replace(
        self, session: Session, run_id: str, expected: int, body: PlanReplace, rehearsal: Rehearsal
    ) -> None:
        """Replace arguments in the plan that has the `expected` revision; where none is another, do nothing.

        Raises `invalid_plan`, with the fields to correct, `precondition_failed` where the plan is another
        one by now, `invalid_state` where nothing waits; or what keeps it from being checked or previewed.
        """
        waiting = await self._reviews.get(session.id, run_id)
        if not is_about(expected, waiting):
            said = unheard(expected, body, waiting)
            await self._reviews.say(session.id, run_id, said, user_id=session.user_id)
            return
        tools = await self._tools()
        edits = await asyncio.to_thread(edits_of, waiting, body, tools)
        if not edits:
            return
        layers = await self._rules.for_run(session.id, session.user_id)
        calls, before = await asyncio.to_thread(_weighed, waiting, edits, layers, tools)
        _require_possible(calls, edits, body)
        review = await rehearsal.review(before.t, calls, before)
        said = Said(expected, body, review, "plan.replaced", {"t": review.t, "steps": list(edits)})
        await self._say(session, run_id, said)

    async def _say(self, session: Session, run_id: str, said: Said) -> None:
        """Store it, without the diffs where they are more than the run can store."""
        try:
            await self._reviews.say(session.id, run_id, said, user_id=session.user_id)
        except ToolError as refusal:
            if refusal.code != "output_too_large":
                raise
            said = replace(said, review=said.review.without_diffs)
            await self._reviews.say(session.id, run_id, said, user_id=session.user_id)


def _weighed(
    waiting: WaitingTurn, edits: Edits, layers: RuleLayers, tools: Tools
) -> tuple[Sequence[Weighed], Review]:
    """Return the calls that are left, weighed by the rules of now, and the review that they were weighed by."""
    _, review = asked(waiting)
    before = review.model_copy(update={"calls": [_edited(call, edits) for call in review.calls]})
    calls = weighed(waiting, Judge(waiting.document, layers, tools), before)
    return [_until_known(one) for one in calls], before


def _require_possible(calls: Iterable[Weighed], edits: Edits, body: PlanReplace) -> None:
    """Raise `invalid_plan` for edits that a rule denies, or that nobody can judge: nothing is asked then."""
    whys = {one.call.n: _why_not(one) for one in calls if one.call.n in edits}
    fields = [
        FieldError(field=f"calls.{place}.arguments", message=why)
        for place, edited in enumerate(body.calls)
        if (why := whys.get(edited.n)) is not None
    ][:MAX_FIELDS]
    if fields:
        names = ", ".join(field.field for field in fields)
        raise ClientError("invalid_plan", f"Not valid: {names}", fields=fields)


def _why_not(one: Weighed) -> str | None:
    """Return why a call with its new arguments would not be made."""
    if one.state == "denied":
        return one.reviewed.reason
    is_refused = one.judgement.answer == "fail"
    return "its tool would refuse a path, a patch or a reference in them" if is_refused else None


def _edited(call: ReviewedCall, edits: Edits) -> ReviewedCall:
    """Return a call with its new arguments: it asks, whatever was said of the old ones."""
    if call.n not in edits:
        return call
    anew = {"arguments": edits[call.n], "state": "asks", "preview": None, "seen": {}}
    return call.model_copy(update={**anew, "reason": None})


def _until_known(one: Weighed) -> Weighed:
    """Return a call that asks when it is reached, where it refers to one that is not made yet."""
    if one.state != "asks" or one.arguments is not None:
        return one
    return replace(one, reviewed=one.reviewed.model_copy(update={"state": "deferred"}))
