"""The two base models: requests refuse unknown fields, everything that comes back ignores them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

T = TypeVar("T")


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC")
    return moment.astimezone(UTC)


UtcTime = Annotated[datetime, AfterValidator(_as_utc)]
"""An RFC 3339 time in UTC."""


class Strict(BaseModel):
    """What a client sends: a misspelt field is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lenient(BaseModel):
    """What a service sends or stores: a newer service may add fields (rolling upgrades)."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Page(Lenient, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    items: Sequence[T]
    next_cursor: str | None = None
