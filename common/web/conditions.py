"""Conditional requests and ranges over one representation, as RFC 9110 has them (13 and 14)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers

from common.errors import ClientError

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_TAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True)
class Validators:
    """What tells one state of a resource from another; the tag is a strong one."""

    etag: str
    modified_at: datetime

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell them to a client."""
        return {"ETag": self.etag, "Last-Modified": format_datetime(self.modified_at, usegmt=True)}


def require_match(headers: Headers, current: Validators | None) -> None:
    """Raise `precondition_failed` unless If-Match and If-None-Match allow a change.

    `current` is None where there is nothing yet.
    """
    wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
    if wanted is not None and not _matches(wanted, current):
        raise ClientError("precondition_failed", "The file is not in the state of If-Match")
    if unwanted is not None and _matches(unwanted, current):
        raise ClientError("precondition_failed", "The file is in a state of If-None-Match")


def is_fresh(headers: Headers, current: Validators) -> bool:
    """Tell whether the client has this state already (304); If-Match is checked before."""
    wanted = headers.get("if-match")
    if wanted is not None and not _matches(wanted, current):
        raise ClientError("precondition_failed", "The file is not in the state of If-Match")
    unwanted = headers.get("if-none-match")
    if unwanted is not None:
        return _matches(unwanted, current, weakly=True)
    since = _date(headers.get("if-modified-since"))
    return since is not None and current.modified_at.replace(microsecond=0) <= since


def asked_range(headers: Headers, current: Validators, size: int) -> range | None:
    """Return the bytes asked for, None for all of them.

    What is not one range of bytes is ignored, as the standard allows. Raises
    `range_not_satisfiable` for a range that starts past the end.
    """
    found = _RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if found is None or not any(found.groups()) or not _if_range(headers, current):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= stop:
        raise ClientError(
            "range_not_satisfiable", f"The file has {size} bytes", limit=size, actual=start
        )
    return range(start, stop)


def _if_range(headers: Headers, current: Validators) -> bool:
    condition = headers.get("if-range")
    if condition is None or condition == current.etag:
        return True
    date = _date(condition)
    return date is not None and current.modified_at.replace(microsecond=0) == date


def _matches(header: str, current: Validators | None, *, weakly: bool = False) -> bool:
    if current is None:
        return False
    if header.strip() == "*":
        return True
    tags = _TAG.findall(header)
    return current.etag in ([tag.removeprefix("W/") for tag in tags] if weakly else tags)


def _date(header: str | None) -> datetime | None:
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
