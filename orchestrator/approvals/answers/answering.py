"""Takes people's answers to a turn that waits: all of it or some calls, once or from now on."""

import asyncio
from collections.abc import Mapping, Sequence

from common.approvals.reviews import ApprovalAnswer, CallState, Decision
from common.approvals.rules import Rule, RuleEffect
from common.errors import MAX_FIELDS, ClientError, FieldError
from common.sessions import Session
from orchestrator.approvals.answers.saying import asked, is_about, unheard
from orchestrator.approvals.verdicts import check_rules
from orchestrator.store.approvals.reviews import ReviewStore, Said, WaitingTurn
from orchestrator.store.records import Review, ReviewedCall

_STATES: Mapping[Decision, CallState] = {"approve": "approved", "reject": "rejected"}
_EFFECTS: Mapping[Decision, RuleEffect] = {"approve": "allow", "reject": "deny"}


class Answering:
    """Stores what a person answers; whatever is said, nothing is done here."""

    def __init__(self, reviews: ReviewStore) -> None:
        self._reviews = reviews

    async def answer(
        self, session: Session, run_id: str, expected: int, body: ApprovalAnswer
    ) -> None:
        """Take an answer to the plan that has the `expected` revision; the same one again is no other.

        It is about the calls that it names, and no other: what it is remembered as holds for what is
        judged from now on.

        Raises `invalid_request` for calls that the turn does not have and for a path that is no glob,
        `precondition_failed` where the plan is another one by now, `invalid_state` where nothing waits,
        or a call that is named does not ask.
        """
        rule = _rule(body)
        waiting = await self._reviews.get(session.id, run_id)
        if is_about(expected, waiting):
            said = await asyncio.to_thread(_said, waiting, body, rule)
        else:
            said = unheard(expected, body, waiting)
        await self._reviews.say(session.id, run_id, said, user_id=session.user_id)


def _rule(body: ApprovalAnswer) -> Rule | None:
    """Return the rule that an answer is remembered as."""
    if body.remember is None:
        return None
    effect = _EFFECTS[body.decision]
    rule = Rule(tool=body.remember.tool, path=body.remember.path, effect=effect)
    try:
        check_rules([rule])
    except ClientError as refusal:
        why = (refusal.context.fields or [])[0].message
        fields = [FieldError(field="remember.path", message=why)]
        raise ClientError(refusal.code, f"The path is no glob: {why}", fields=fields) from refusal
    return rule


def _said(waiting: WaitingTurn, body: ApprovalAnswer, rule: Rule | None) -> Said:
    """Return what becomes of a turn by an answer."""
    turn, review = asked(waiting)
    named = _named(review, body)
    calls = [_answered(call, body) if call.n in named else call for call in review.calls]
    return Said(
        waiting.revision,
        body,
        review.model_copy(update={"calls": calls}),
        "approval.received",
        {"t": turn.t, "decision": body.decision, "steps": sorted(named), "reason": body.reason},
        rule,
    )


def _answered(call: ReviewedCall, body: ApprovalAnswer) -> ReviewedCall:
    reason = body.reason if body.decision == "reject" else None
    return call.model_copy(update={"state": _STATES[body.decision], "reason": reason})


def _named(review: Review, body: ApprovalAnswer) -> set[int]:
    """Return the numbers of the calls that an answer is about."""
    if body.steps is None:
        return set(review.asking)
    entries = review.by_number
    _require_known(body.steps, entries)
    for n in body.steps:
        if entries[n].state not in ("asks", _STATES[body.decision]):
            raise ClientError("invalid_state", f"Step {n} does not ask: it is {entries[n].state}")
    return {n for n in body.steps if entries[n].state == "asks"}


def _require_known(steps: Sequence[int], entries: Mapping[int, ReviewedCall]) -> None:
    unknown = [place for place, n in enumerate(steps) if n not in entries]
    if unknown:
        why = f"the turn has no such step: it has {min(entries)} to {max(entries)}"
        places = unknown[:MAX_FIELDS]
        fields = [FieldError(field=f"steps.{place}", message=why) for place in places]
        raise ClientError("invalid_request", "The answer is about other steps", fields=fields)
