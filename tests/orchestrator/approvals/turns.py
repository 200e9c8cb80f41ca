"""Turns that wait, without a store."""

from common.plans import TurnCall
from common.sessions import Session
from orchestrator.store.approvals.reviews import WaitingTurn
from orchestrator.store.records import Review, ReviewedCall, RuleLayers
from tests.orchestrator.builders import document, turn

SESSION = Session(
    id="ses_" + "0" * 32, user_id="ann", workspace="w", ttl=60, created_at="2026-01-01T00:00:00Z"
)


class Reviews:
    """Stands for the store: gives this turn, and keeps what is said; `refusals` come first."""

    def __init__(self, waiting, *refusals):
        self.waiting = waiting
        self.refusals = list(refusals)
        self.said = []

    async def get(self, session_id, run_id):
        """Return the turn."""
        return self.waiting

    async def say(self, session_id, run_id, said, *, user_id):
        """Keep what is said."""
        self.said.append(said)
        if self.refusals:
            raise self.refusals.pop(0)


class NoRules:
    """A store of rules that has none."""

    async def for_run(self, session_id, user_id):
        """Return none."""
        return RuleLayers()


def call(n, tool="write_file", path="a", **more):
    """Return a call of a turn."""
    arguments = {"path": path, **({"content": "x"} if tool == "write_file" else {})}
    given = {"n": n, "name": f"s{n}", "tool": tool, "arguments": arguments, **more}
    return TurnCall.model_validate(given)


def waits(calls, states, *, steps=(), revision=1, status="awaiting_approval", **more):
    """Return a turn of calls that are in these states."""
    entries = [ReviewedCall(n=one.n, state=state) for one, state in zip(calls, states, strict=True)]
    given = {
        "document": document(SESSION.id, approval="writes"),
        "status": status,
        "revision": revision,
        "turn": turn().model_copy(update={"calls": list(calls)}),
        "review": Review(t=1, calls=entries),
        "steps": tuple(steps),
        "answer_by": None,
    }
    return WaitingTurn(**{**given, **more})
