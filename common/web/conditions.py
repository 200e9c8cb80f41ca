"""Conditional requests and ranges over one representation, as RFC 9110 has them (13 and 14)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers

from common.errors import ClientError

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_MEMBER = re.compile(r'(?:^|,)\s*(\*|(?:W/)?"[^"]*")\s*(?=,|$)')


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
    """Raise `precondition_failed` unless the request's conditions allow a change.

    `current` is None where there is nothing yet.
    """
    _require_wanted(headers, current)
    unwanted = _members(headers, "if-none-match")
    if unwanted is not None and _matches(unwanted, current):
        raise ClientError("precondition_failed", "The file is in a state of If-None-Match")


def require_whole(headers: Headers) -> None:
    """Raise `malformed_request` for a part of a file where the whole is replaced (14.5)."""
    if "content-range" in headers:
        raise ClientError(
            "malformed_request",
            "PUT replaces the whole file and takes no Content-Range",
            hint="Send the whole file; to change a part of it, call a tool.",
        )


def is_fresh(headers: Headers, current: Validators) -> bool:
    """Tell whether the client has this state already (304).

    Raises `precondition_failed` when it does not want the state that there is.
    """
    _require_wanted(headers, current)
    unwanted = _members(headers, "if-none-match")
    if unwanted is not None:
        return _matches(unwanted, current, weakly=True)
    since = _date(headers.get("if-modified-since"))
    return since is not None and _seconds(current) <= since


def _require_wanted(headers: Headers, current: Validators | None) -> None:
    """If-Match, and only without it If-Unmodified-Since (RFC 9110, 13.2.2)."""
    wanted = _members(headers, "if-match")
    if wanted is not None:
        if not _matches(wanted, current):
            raise ClientError("precondition_failed", "The file is not in the state of If-Match")
        return
    since = _date(headers.get("if-unmodified-since"))
    if since is not None and current is not None and _seconds(current) > since:
        raise ClientError("precondition_failed", "The file was modified since")


def asked_range(headers: Headers, current: Validators, size: int) -> range | None:
    """Return the bytes asked for, None for all of them.

    What is not one range of bytes is ignored, as the standard allows. Raises
    `range_not_satisfiable` for a range that starts past the end.
    """
    found = _RANGE.fullmatch(",".join(headers.getlist("range")).replace(" ", ""))
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
    return condition in (None, current.etag) or _date(condition) == _seconds(current)


def _members(headers: Headers, name: str) -> list[str] | None:
    """Return the entity tags of all lines of a header, which are one list; None without any."""
    lines = headers.getlist(name)
    return _MEMBER.findall(",".join(lines)) if lines else None


def _matches(tags: list[str], current: Validators | None, *, weakly: bool = False) -> bool:
    if current is None:
        return False
    if weakly:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or current.etag in tags


def _seconds(current: Validators) -> datetime:
    return current.modified_at.replace(microsecond=0)


def _date(header: str | None) -> datetime | None:
    """Return the time that a header names; what is no date of ours is ignored."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
