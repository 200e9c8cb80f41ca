"""Reads what went wrong with a request to a model: as our own error, in the provider's words."""

import re
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import httpx2
from pydantic_ai import exceptions as ai

from common.logs import get_logger
from orchestrator.planners.llm.conversation import ModelFault, TooLong
from orchestrator.planners.llm.providers.secrets import Scrubber

log = get_logger(__name__)

MAX_DETAIL = 500
"""Characters of a provider's own words."""
MAX_WORDS = 20_000
"""Characters of them that are looked at: an error may be a megabyte of "model model model"."""
FAILURES = (ai.AgentRunError, ai.UserError, httpx2.HTTPError, httpx2.StreamError)
"""What a request can raise; some transport errors in mid-stream come as they are."""
MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the libraries stumble with over an answer that is JSON, and nothing that anybody expects."""

_TOO_LONG = re.compile(
    r"exceed_context_size|context_length_exceeded|exceeds? the (?:available )?context (?:size|window)"
    r"|maximum context length|context (?:length|window) (?:exceeded|of)|prompt is too long"
    r"|input is too long",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|(?:unknown|no such|invalid) model"
    r"|model\b.{0,80}(?:not found|not exist|not available|not loaded)",
    re.IGNORECASE | re.DOTALL,
)


class _Kind(NamedTuple):
    code: str
    is_retryable: bool = False


_REFUSED = _Kind("model_refused")
_UPSTREAM = _Kind("upstream_failed", is_retryable=True)
_OVERLOADED = _Kind("overloaded", is_retryable=True)
_DEADLINE = _Kind("deadline_exceeded", is_retryable=True)
_KINDS: tuple[tuple[type[Exception], _Kind], ...] = (  # the first that applies
    (ai.ModelRateLimitError, _OVERLOADED),
    (ai.ModelOverloadedError, _OVERLOADED),
    (ai.ModelQuotaExceededError, _REFUSED),
    (ai.ModelAuthenticationError, _Kind("model_unauthenticated")),
    (ai.ModelNotFoundError, _Kind("model_not_found")),
    (ai.ModelRequestTimeout, _DEADLINE),
    (ai.ModelTimeoutError, _DEADLINE),
    (ai.ContentFilterError, _REFUSED),
    (ai.UserError, _REFUSED),
    (httpx2.TimeoutException, _DEADLINE),
)
_PASSING = (408, 409, 425, 429)
"""Client errors that pass: a timeout, a conflict, too early, too many."""
LONGEST_WAIT = 86400.0
"""Seconds: whatever a provider asks for beyond a day is no number that a date could be made of."""
_NOT_SENT = ("pool", "connect")


def read_fault(error: Exception, *, has_begun: bool, scrubber: Scrubber) -> ModelFault | TooLong:
    """Return what to raise for an error; `has_begun`: something of the answer had arrived.

    No key is in it, nor in the error: whoever raises this must do so `from None`, since the original
    may hold one.
    """
    words = scrubber.clean(_words(error)[:MAX_WORDS])
    is_rejected = _is_rejected(error)
    if is_rejected and _is_too_long(error, words):
        return TooLong(words[:MAX_DETAIL])
    usual = _REFUSED if is_rejected else _UPSTREAM
    kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), usual)
    if kind is _REFUSED and is_rejected and _NO_MODEL.search(words):
        kind = _Kind("model_not_found")
    return fault(kind, words, has_cost=has_begun or _may_cost(error), retry_after=_wait(error))


def _is_rejected(error: Exception) -> bool:
    """Whether the same request would fail again: the library does not class every status."""
    if isinstance(error, ai.ModelHTTPError):
        return 400 <= error.status_code < 500 and error.status_code not in _PASSING
    return isinstance(error, ai.ModelRequestRejectedError)


def _is_too_long(error: Exception, words: str) -> bool:
    """Whether a rejection is for the length; some servers only say so in words."""
    is_told = isinstance(error, ai.ModelContextWindowExceededError)
    return is_told or getattr(error, "status_code", None) == 413 or bool(_TOO_LONG.search(words))


def fault(
    kind: _Kind, words: str, *, has_cost: bool, retry_after: timedelta | None = None
) -> ModelFault:
    """Return a fault with a provider's words, cut to what is worth reading."""
    made = ModelFault(
        kind.code, words[:MAX_DETAIL], outcome="not_executed", retry_after=retry_after
    )
    made.retryable = kind.is_retryable
    made.has_cost = has_cost
    return made


def cut_off(words: str) -> ModelFault:
    """Return the fault of an answer that has ended before its end."""
    return fault(_UPSTREAM, words, has_cost=True)


def malformed(error: Exception) -> ModelFault:
    """Return the fault of an answer that nobody can read; its own words may be anything, a key too."""
    kind = type(error).__name__
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    log.warning("an answer is malformed", kind=kind, where=f"{frame.f_code.co_filename}:{line}")
    return fault(_UPSTREAM, f"the answer is not made as it has to be ({kind})", has_cost=True)


def _words(error: Exception) -> str:
    if not isinstance(error, ai.ModelHTTPError):
        return ": ".join(dict.fromkeys(_chain(error)))
    return f"HTTP {error.status_code}: {_message(error.body) or error.message}"


def _chain(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says and its causes do: "Connection error." alone says nothing."""
    while error is not None:
        yield str(error).rstrip(".") or type(error).__name__
        error = error.__cause__


def _message(body: object) -> str:
    """Return the sentence within an error's body, in the forms that providers have; with its type."""
    if not isinstance(body, dict):
        return "" if body is None else str(body)
    if isinstance(body.get("error"), dict):
        return _message(body["error"])
    said = body.get("message") or body.get("error") or body.get("detail")
    kinds = [str(body[k]) for k in ("code", "type") if isinstance(body.get(k), str)]
    return f"{said} ({', '.join(kinds)})" if said and kinds else str(said or body)


def _may_cost(error: Exception) -> bool:
    """Whether the provider may have worked on it: refused and unsent requests cost nothing."""
    if isinstance(error, ai.ModelConnectionError):
        return error.phase not in _NOT_SENT
    if isinstance(error, ai.ModelHTTPError):
        return error.in_stream
    return not isinstance(error, ai.UserError | httpx2.ConnectError | httpx2.ConnectTimeout)


def _wait(error: Exception) -> timedelta | None:
    seconds = getattr(error, "retry_after", None)
    if seconds is None:
        return None
    return timedelta(seconds=min(max(float(seconds), 0.0), LONGEST_WAIT))
