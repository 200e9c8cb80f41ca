"""What people say of runs: rules beforehand, and answers to a turn that waits for them."""

from collections.abc import Sequence
from datetime import timedelta

from agentic.api.requests import Requests
from agentic.api.transport import body_of, path_of
from common.approvals.reviews import (
    ApprovalAnswer,
    EditedCall,
    PlanPreview,
    PlanReplace,
    PreviewedPlan,
    Remember,
    TurnPlan,
)
from common.approvals.rules import Rule, Rules, RulesReplace
from common.plans import Plan
from common.runs import Run
from common.sessions import Metadata, Session, SessionPatch


class Approvals:
    """The part of a client by which a person decides; AgenticClient has all of its methods.

    What takes a revision raises `precondition_failed` where there is another one by now: somebody
    else has answered or edited, or files have changed. A lost answer is asked for again, safely.
    """

    _requests: Requests

    async def plan(self, session_id: str, run_id: str) -> TurnPlan:
        """Return the calls of a run's last turn, with what each would do while it waits."""
        return await self._requests.read(_at(session_id, run_id, "plan"), TurnPlan)

    async def replace_plan(
        self,
        session_id: str,
        run_id: str,
        calls: Sequence[EditedCall] | PlanReplace,
        plan_revision: int,
    ) -> TurnPlan:
        """Give calls of a turn that waits other arguments, and return it with new previews."""
        edited = calls.calls if isinstance(calls, PlanReplace) else list(calls)
        body = body_of(PlanReplace, calls=edited)
        path = _at(session_id, run_id, "plan")
        return await self._requests.put("PUT", path, body, TurnPlan, plan_revision)

    async def approve(
        self,
        session_id: str,
        run_id: str,
        *,
        plan_revision: int,
        steps: Sequence[int] | None = None,
        remember: Remember | None = None,
    ) -> Run:
        """Approve a turn that waits, or some steps of it; remember it for what comes.

        Raises `invalid_state` where nothing waits.
        """
        body = _answer("approve", steps, remember=remember)
        return await self._say(session_id, run_id, body, plan_revision)

    async def reject(
        self,
        session_id: str,
        run_id: str,
        *,
        plan_revision: int,
        steps: Sequence[int] | None = None,
        reason: str | None = None,
        remember: Remember | None = None,
    ) -> Run:
        """Reject a turn that waits, or some steps of it; a model is told the reason."""
        body = _answer("reject", steps, reason=reason, remember=remember)
        return await self._say(session_id, run_id, body, plan_revision)

    async def _say(
        self, session_id: str, run_id: str, body: dict[str, object], plan_revision: int
    ) -> Run:
        path = _at(session_id, run_id, "approval")
        return await self._requests.put("POST", path, body, Run, plan_revision)

    async def preview_plan(self, session_id: str, plan: Plan) -> PreviewedPlan:
        """Return what a plan would do that nobody has started; nothing is kept."""
        body = body_of(PlanPreview, session_id=session_id, plan=plan)
        return await self._requests.put("POST", "/v1/plans/preview", body, PreviewedPlan, None)

    async def rules(self) -> Rules:
        """Return the user's rules, which hold in all of their sessions."""
        return await self._requests.read("/v1/rules", Rules)

    async def replace_rules(self, rules: Sequence[Rule], revision: int | None = None) -> Rules:
        """Replace the user's rules; whatever there is by now, unless a revision is given."""
        body = body_of(RulesReplace, rules=list(rules))
        return await self._requests.put("PUT", "/v1/rules", body, Rules, revision)

    async def change_session(
        self,
        session_id: str,
        *,
        revision: int,
        metadata: Metadata | None = None,
        ttl: timedelta | None = None,
        rules: Sequence[Rule] | None = None,
    ) -> Session:
        """Change what is given of a session; its rules take the place of its own, `[]` of all."""
        given_rules = None if rules is None else list(rules)
        body = body_of(SessionPatch, metadata=metadata, ttl=ttl, rules=given_rules)
        path = path_of("v1", "sessions", session_id)
        return await self._requests.put("PATCH", path, body, Session, revision)


def _answer(
    decision: str,
    steps: Sequence[int] | None,
    *,
    reason: str | None = None,
    remember: Remember | None = None,
) -> dict[str, object]:
    numbers = None if steps is None else list(steps)
    return body_of(
        ApprovalAnswer, decision=decision, steps=numbers, reason=reason, remember=remember
    )


def _at(session_id: str, run_id: str, part: str) -> str:
    return path_of("v1", "sessions", session_id, "runs", run_id, part)
