"""Identifiers: a prefix and 32 hex digits, 12 of milliseconds since the epoch and 20 at random."""

import re
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated

from pydantic import StringConstraints

_HEX = "[0-9a-f]{32}"
SessionId = Annotated[str, StringConstraints(pattern=rf"^ses_{_HEX}$")]
RunId = Annotated[str, StringConstraints(pattern=rf"^run_{_HEX}$")]
StepId = Annotated[str, StringConstraints(pattern=rf"^stp_{_HEX}$")]
CallId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_.-]{1,200}$")]
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A user or a workspace: also a directory's name, hence the narrow alphabet."""

_FOREIGN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def new_id(prefix: str) -> str:
    """Return a fresh id such as `run_0193…`; ids of one prefix sort by their time."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def made_at(identifier: str) -> datetime:
    """Return when an id was made, to the millisecond."""
    milliseconds = int(identifier.rpartition("_")[2][:12], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def request_id_from(header: str | None) -> str:
    """Return the caller's request id when it is well formed, else a fresh one."""
    if header is not None and _FOREIGN_REQUEST_ID.fullmatch(header):
        return header
    return new_id("req")
