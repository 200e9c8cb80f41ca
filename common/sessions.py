"""Sessions: where a user's runs belong; the wire between the orchestrator and its clients."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from common.approvals.rules import Rule, RuleList
from common.ids import Name, RunId, SessionId
from common.models import Duration, Items, Lenient, Strict, UtcTime

MIN_TTL = timedelta(seconds=60)
"""A session that went sooner would be gone between two looks of whoever keeps it."""


def long_enough(ttl: timedelta) -> timedelta:
    """Return a session's time to live; refuse one below the bound, and say the bound."""
    if ttl < MIN_TTL:
        raise ValueError(f"it must be at least {MIN_TTL.total_seconds():.0f} seconds")
    return ttl


SessionTtl = Annotated[
    Duration,
    AfterValidator(long_enough),
    WithJsonSchema({"type": "number", "minimum": MIN_TTL.total_seconds()}),
]
Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]


class SessionCreate(Strict):
    """A session to open: sessions of one user that name the same workspace share it."""

    workspace: Name | None = None
    metadata: Annotated[Metadata, Field(max_length=32)] = {}
    ttl: SessionTtl | None = None
    """Seconds that an idle session is kept: 60 at least, at most what the service allows."""


class SessionPatch(Strict):
    """What is to be another way from now on; what is left out stays."""

    metadata: Annotated[Metadata, Field(max_length=32)] | None = None
    ttl: SessionTtl | None = None
    rules: RuleList | None = None
    """They take the place of the session's own; what was remembered for it goes with `[]` only."""


class Session(Lenient):
    """A client's place to run things in: one user, one workspace, any number of runs."""

    id: SessionId
    user_id: Name
    workspace: Name
    metadata: Metadata = {}
    ttl: float
    """Seconds."""
    rules: Items[Rule] = []
    """Those of a user's own come after them."""
    remembered: Items[Rule] = []
    """What people have answered to turns of its runs, for the next ones; they come first."""
    revision: int = 0
    """Its ETag."""
    active_run: RunId | None = None
    created_at: UtcTime
