"""The two base models: requests refuse unknown fields, everything that comes back ignores them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

T = TypeVar("T")
_DIGITS = re.compile(r"[0-9]{1,18}")


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC that is beyond the years 1 to 9999") from error


UtcTime = Annotated[datetime, AfterValidator(_as_utc)]
"""An RFC 3339 time in UTC."""


def _as_duration(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value  # a timedelta passes, anything else is refused
    try:
        return timedelta(seconds=value)
    except OverflowError as error:
        raise ValueError("that is too long a time") from error


Duration = Annotated[
    timedelta,
    BeforeValidator(_as_duration),
    PlainSerializer(timedelta.total_seconds, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
    Field(gt=timedelta(0)),
]
"""A duration: a positive number of seconds in JSON."""


def _as_number(value: Any) -> Any:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("a whole number is written in digits alone")
    return value


Digits = Annotated[int, BeforeValidator(_as_number)]
"""A whole number in a header or a query: `1_0`, `+1`, ` 1` and `1.0` are none."""


class Strict(BaseModel):
    """What a client sends: a misspelt field is an error, not a silent default.

    Neither is a value of another type taken for what it might mean: `true` and `"1"` are no numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Lenient(BaseModel):
    """What a service sends or stores: a newer service may add fields (rolling upgrades)."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Items = Annotated[list[T], FailFast()]
"""A list that comes back: the first item that is none is all there is to say of it. An error for each
of a million takes gigabytes."""


class Page(Lenient, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    items: Items[T]
    next_cursor: str | None = None
