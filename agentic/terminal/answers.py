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

    What is said alike goes together, and what is to be remembered goes last: it answers all that still asks
    and is like it, and must not answer what the person has said otherwise. Each answer makes the plan's revision one higher: where somebody
    else comes between two of them, the second raises `precondition_failed`.
    """
    alike: dict[Said, list[int]] = {}
    for n in sorted(said):
        alike.setdefault(said[n], []).append(n)
    run, in_order = None, sorted(alike.items(), key=lambda item: item[0].remember is not None)
    for count, (one, steps) in enumerate(in_order):
        run = await _send(client, plan, plan.plan_revision + count, one, steps)
    return run


async def _send(
    client: AgenticClient, plan: TurnPlan, revision: int, said: Said, steps: list[int]
) -> Run:
    ids = plan.session_id, plan.run_id
    if said.decision == "approve":
        return await client.approve(
            *ids, plan_revision=revision, steps=steps, remember=said.remember
        )
    return await client.reject(*ids, plan_revision=revision, steps=steps, reason=said.reason)
