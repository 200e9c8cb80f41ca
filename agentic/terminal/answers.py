"""What a person says of a turn's calls, on its way to the orchestrator in few requests."""

from collections.abc import Mapping
from dataclasses import dataclass

from agentic.api.client import AgenticClient
from common.approvals.reviews import Decision, Remember, TurnPlan
from common.runs import Run


@dataclass(frozen=True)
class Said:
    """What is said of a call."""

    decision: Decision
    reason: str | None = None
    remember: Remember | None = None


async def send_answers(
    client: AgenticClient, plan: TurnPlan, said: Mapping[int, Said]
) -> Run | None:
    """Send what is said of calls, by their numbers, and return the run; None where nothing is said.

    What is said alike goes together: rejections first, then approvals, and last what is to be remembered,
    which holds beyond this turn. Each answer makes the plan's revision one higher: where somebody else
    comes between two of them, the second raises `precondition_failed`, and less is allowed than was said.
    """
    alike: dict[Said, list[int]] = {}
    for n in sorted(said):
        alike.setdefault(said[n], []).append(n)
    run = None
    for count, one in enumerate(sorted(alike, key=_allowed)):
        run = await _send(client, plan, plan.plan_revision + count, one, alike[one])
    return run


def _allowed(said: Said) -> tuple[bool, bool]:
    """Return how much an answer allows, to be sorted by."""
    return said.remember is not None, said.decision == "approve"


async def _send(
    client: AgenticClient, plan: TurnPlan, revision: int, said: Said, steps: list[int]
) -> Run:
    ids = plan.session_id, plan.run_id
    if said.decision == "approve":
        return await client.approve(
            *ids, plan_revision=revision, steps=steps, remember=said.remember
        )
    return await client.reject(*ids, plan_revision=revision, steps=steps, reason=said.reason)
