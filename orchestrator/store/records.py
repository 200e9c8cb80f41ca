"""What the store gives out and takes in: sessions, leases, turns, endings."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import JsonValue

from common.approvals.reviews import CallState, Policy, Preview
from common.approvals.rules import Rule
from common.context import Access, RequestSource
from common.errors import Problem
from common.ids import RunId, SessionId
from common.models import Items, Lenient
from common.plans import Plan, Turn, Usage
from common.runs import Budget, RunResult, Step
from common.sessions import Session
from common.tools import JsonSchema, Receipt, ToolName

T = TypeVar("T")
SMALL = 64 * 1024
"""Characters that are read on the event loop: sooner done there than in a thread."""


class RunDocument(Lenient):
    """What a run was asked to do. A plan moves from here into the run's first turn."""

    id: RunId
    session_id: SessionId
    goal: str | None
    plan: Plan | None
    planner: str
    budget: Budget
    request_id: str
    request_source: RequestSource
    traceparent: str | None
    approval: Policy = "never"
    access: Access = "read_write"
    model: str | None = None
    instructions: str | None = None
    tools: list[ToolName] | None = None
    output_schema: JsonSchema | None = None


class StoredTurn(Turn):
    """A turn with what only its planner reads."""

    message: JsonValue = None
    """A model's answer, verbatim."""


class StoredStep(Step):
    """A step with what its call is sent with, for whoever has to send the very same one again."""

    k: int = 1
    """Number of the call: a further one where a person was asked once more."""
    expected: list[Receipt] | None = None
    """The receipts that it has to have."""


class ReviewedCall(Lenient):
    """A call of the turn, by the number of its step."""

    n: int
    state: CallState
    arguments: dict[str, JsonValue] | None = None
    """Those that a person has put in place of the turn's."""
    preview: Preview | None = None
    seen: dict[str, str | None] = {}
    """Of a call that depends on another: the hashes of what it touches, as they were when the person
    was asked; null where nothing was."""
    reason: str | None = None
    k: int = 1
    """Number of the tool call that is going to be made for it."""


class Review(Lenient):
    """An entry for each call of the turn, in its order."""

    t: int
    calls: Items[ReviewedCall]

    @property
    def asking(self) -> list[int]:
        """The numbers of the calls that still ask."""
        return [call.n for call in self.calls if call.state == "asks"]

    @property
    def without_diffs(self) -> "Review":
        """The same with receipts only, for want of room."""
        calls = [
            (
                call.model_copy(update={"preview": call.preview.model_copy(update={"diff": None})})
                if call.preview is not None
                else call
            )
            for call in self.calls
        ]
        return self.model_copy(update={"calls": calls})

    @property
    def by_number(self) -> Mapping[int, ReviewedCall]:
        """The calls by the number of their step."""
        return {call.n: call for call in self.calls}


class RuleLayers(Lenient):
    """The rules that hold for a run now."""

    revisions: tuple[str, str] = ("0", "0")
    """The session's, and that of its user's rules: with one of them, rules may be others."""
    remembered: Items[Rule] = []
    session: Items[Rule] = []
    user: Items[Rule] = []

    @property
    def in_order(self) -> list[list[Rule]]:
        """Those that count first, first."""
        return [self.remembered, self.session, self.user]


@dataclass(frozen=True)
class Spent:
    """What a run has used of a model.

    Reserved before a request and settled after it; what was reserved for an answer that was lost stays.
    """

    usage: Usage = field(default_factory=Usage)
    lost_tokens: int = 0
    lost_cost: float = 0.0


@dataclass(frozen=True)
class Lease:
    """The right to go on with a run: every write shows its fence, and a newer one ends it."""

    session: Session
    run: RunDocument
    turns: tuple[StoredTurn, ...]
    steps: tuple[StoredStep, ...]
    fence: int
    cancel_requested: bool
    adopted: StoredTurn | None = None
    """What stands for the steps that a program of format 2 has begun; it is not stored yet."""
    spent: timedelta = timedelta(0)
    """How long the run was under earlier leases."""
    used: Spent = field(default_factory=Spent)
    """What it has used of a model by then."""
    review: Review | None = None
    """What people were shown of its last turn, and have said of it."""


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    status: Literal["succeeded", "failed", "cancelled"]
    result: RunResult | None = None
    error: Problem | None = None
    reason: str | None = None
    turn: StoredTurn | None = None
    """The decision to end, where a planner has made one."""


CANCELLED = Ending("cancelled", reason="cancelled by the client")
"""How a run ends that its client has cancelled; of one that nobody executes, _prelude.lua says so."""
Fields = Mapping[str, str]


def moment(value: str | None) -> datetime | None:
    """Read a time that a script wrote, in milliseconds since the epoch."""
    return None if value is None else datetime.fromtimestamp(int(value) / 1000, UTC)


def length_of(*hashes: Fields) -> int:
    """Return how many characters hashes hold."""
    return sum(len(value) for fields in hashes for value in fields.values())


async def off_loop(size: int, read: Callable[..., T], *stored: Any) -> T:
    """Read what is stored; it may be megabytes."""
    return read(*stored) if size <= SMALL else await asyncio.to_thread(read, *stored)
