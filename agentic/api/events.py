"""What events carry, of the types that this client shows or decides by: checked in one place."""

from pydantic import JsonValue, ValidationError

from agentic.api.transport import fault
from common.models import Items, Lenient, UtcTime
from common.runs import FINAL_EVENTS, Event, RunStatus, Step


class TurnDecided(Lenient):
    """A planner has decided a turn: so many calls, and what a model has said and used for it."""

    t: int
    calls: int = 0
    text_bytes: int = 0
    usage: dict[str, JsonValue] | None = None


class StepStarted(Lenient):
    """A step's call is made; its arguments are null where they are long."""

    n: int
    name: str
    tool: str
    arguments: dict[str, JsonValue] | None


class TextDelta(Lenient):
    """A piece of what is being said in one attempt at a turn."""

    t: int
    attempt: int
    offset: int
    """Where it stands, in bytes of UTF-8."""
    text: str


class Question(Lenient):
    """What a run wants to know."""

    question: str | None = None


class Waiting(Lenient):
    """A turn waits for a person."""

    t: int


class Approval(Lenient):
    """What a person has said of some calls of a turn."""

    decision: str
    steps: Items[int] = []
    reason: str | None = None


class Replaced(Lenient):
    """A person has given calls of a turn that waits other arguments."""

    steps: Items[int] = []


class Message(Lenient):
    """What a person has told a run."""

    text: str


class GapRun(Lenient):
    """What a gap tells of the run, whose events it may stand for."""

    status: RunStatus
    question: str | None = None
    finished_at: UtcTime | None = None


class Gap(Lenient):
    """Events that are no longer there; the run is null where it is not, either."""

    run: GapRun | None = None


_DATA: dict[str, type[Lenient]] = {
    "turn.decided": TurnDecided,
    "step.started": StepStarted,
    "step.succeeded": Step,
    "step.failed": Step,
    "text.delta": TextDelta,
    "run.awaiting_input": Question,
    "run.awaiting_approval": Waiting,
    "approval.received": Approval,
    "plan.replaced": Replaced,
    "message.received": Message,
    "gap": Gap,
}


def readable(event: Event) -> Event:
    """Return the event; raise `upstream_failed` where its data is not of the form its type has.

    The data of types that are not listed here is nothing that this client reads.
    """
    model = _DATA.get(event.type)
    if model is None:
        return event
    try:
        model.model_validate(event.data)
    except ValidationError as error:
        raise fault("upstream_failed", f"The data of an event '{event.type}' is odd") from error
    return event


def is_last(event: Event) -> bool:
    """Tell whether nothing more of the run of a readable event follows."""
    if event.type == "gap":
        run = Gap.model_validate(event.data).run
        return run is None or run.finished_at is not None
    return event.type in FINAL_EVENTS
