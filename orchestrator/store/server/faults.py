"""Which errors mean that the store is away, refuses or is full, and the one word of each change."""

import os
import re
import socket
import ssl
import time

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    ClusterError,
    ConnectionError as RedisConnectionError,
    InvalidResponse,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    SlotNotCoveredError,
    TimeoutError as RedisTimeoutError,
    TryAgainError,
)

from common.logs import get_logger
from orchestrator.store.server.formats import UnknownFormat

QUIET = 2.0
"""Seconds without a fault before the store counts as back: reads may pass while writes do not."""
CLIENT_ERRORS = (RedisConnectionError, RedisTimeoutError, TimeoutError)
UNANSWERED = (*CLIENT_ERRORS, RedisClusterException)
"""No answer has come: what was sent may have been done, also by an earlier try of redis-py's own."""
_REFUSALS = (
    ReadOnlyError, ClusterError, TryAgainError, AskError, NoScriptError, InvalidResponse,
    SlotNotCoveredError,
)  # fmt: skip
_REFUSING = {"NOREPLICAS", "MISCONF", "UNBLOCKED", "BUSY"}
"""First words of answers for which redis-py has no class; UNBLOCKED is a demotion's."""
_AROUND = re.compile(
    r"^.*of pipeline caused error: (?:\(['\"])?|['\"],\)$|,? script: .*$", re.DOTALL
)
"""What redis-py and Redis put around an answer: our own command and its arguments."""

Fault = tuple[str, str]
"""An error's code and detail."""

log = get_logger(__name__)


class Faults:
    """Tells faults of the store from mistakes of ours; logs once when they begin, and when they end."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._place = "its Unix socket" if address.startswith("unix:") else address
        self._told: set[str] = set()
        self._last = 0.0

    def of(self, error: Exception) -> Fault | None:
        """Return the fault that an error of redis-py is, or None for a mistake of ours."""
        if isinstance(error, OutOfMemoryError):
            return self._note("store_full", "is full", _answer(error))
        if isinstance(error, UnknownFormat):
            return self._note("unavailable", "cannot be used", str(error))
        if isinstance(error, CLIENT_ERRORS):
            return self._note("unavailable", "cannot be reached", _why(error))
        if isinstance(error, _REFUSALS) or _answer(error).partition(" ")[0] in _REFUSING:
            return self._note("unavailable", "cannot be used", _answer(error))
        if type(error) is RedisClusterException:  # its subclasses are mistakes of ours
            return self._note("unavailable", "cannot be reached", _incomplete(error))
        return None

    def missing(self, acknowledged: int, wanted: int) -> Fault:
        """Return the fault of a write that too few replicas have acknowledged in time."""
        why = f"{acknowledged} of {wanted} replicas have acknowledged a write in time"
        return self._note("unavailable", "cannot be relied on", why)

    def _note(self, code: str, state: str, why: str) -> Fault:
        self._last = time.monotonic()
        if why not in self._told:
            log.warning("the session store " + state, code=code, address=self._address, why=why)
            self._told.add(why)
        return code, f"The session store at {self._place} {state}: {why}"

    def passed(self) -> None:
        """Note that a command has been answered."""
        if self._told and time.monotonic() - self._last > QUIET:
            self._told.clear()
            log.info("the session store is back", address=self._address)


def _answer(error: Exception) -> str:
    if isinstance(error, AskError):
        return "the cluster is moving its slots"
    return _AROUND.sub("", str(error)) if isinstance(error, ResponseError) else str(error)


def _why(error: Exception) -> str:
    """Say why there is no connection, without the paths and addresses that redis-py names."""
    if isinstance(error, MasterNotFoundError):
        return "Sentinel names no master"
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return "it does not answer in time"
    cause = error.__cause__ or error.__context__
    if isinstance(cause, socket.gaierror | ssl.SSLError):  # whose numbers are not the kernel's
        return str(cause.strerror)
    if isinstance(cause, OSError):
        return os.strerror(cause.errno) if cause.errno else "No connection can be made"
    return str(error).partition("\n")[0]


def _incomplete(error: Exception) -> str:
    cause = error.__cause__
    return "none of its nodes answers" if cause else "not every slot of the cluster is served"
