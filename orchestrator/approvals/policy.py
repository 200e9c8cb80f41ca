"""Whether a call is made, asked for, or denied: the run's policy, and what rules say before it."""

from typing import Literal

from common.approvals.reviews import Policy
from common.context import Access
from common.files.paths import parse
from common.tools import Effect
from orchestrator.approvals.paths import Touched
from orchestrator.approvals.verdicts import Verdict

Answer = Literal["make", "ask", "deny"]
INSTRUCTIONS = Touched(parse("AGENTS.md"))
"""What models are told in every run of the workspace: who changes it changes them all."""


def nothing_asks(policy: Policy, access: Access) -> bool:
    """Tell whether a run asks for nothing of its own: changes that cannot be made need no permission."""
    return policy == "never" or (policy == "writes" and access == "read_only")


def answer(
    policy: Policy,
    access: Access,
    verdict: Verdict | None,
    effect: Effect,
    touched: list[Touched],
    *,
    is_first: bool,
) -> Answer:
    """Return what becomes of a call; `is_first`, it is one of its run's first turn.

    Nobody is asked for a change of a run that is `read_only`: the execution environment refuses it.
    """
    if verdict is not None and verdict.effect == "deny":
        return "deny"
    if effect != "read" and access == "read_only":
        return "make"
    if policy != "never" and effect != "read" and any(map(INSTRUCTIONS.overlaps, touched)):
        return "ask"
    if verdict is not None:
        return "ask" if verdict.effect == "ask" else "make"
    asks = {"never": False, "plan": is_first, "writes": effect != "read", "always": True}
    return "ask" if asks[policy] else "make"
