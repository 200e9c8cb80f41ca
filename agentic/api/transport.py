"""The way to the orchestrator: its address, and what is told when nothing of use comes back."""

import re
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from common.errors import AgenticError, ClientError, SystemFault

_LABEL = rb"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rb"(?=.{1,253}\Z)" + _LABEL + rb"(\." + _LABEL + rb")*\.?")
_VISIBLE = re.compile(r"[!-~]+")
M = TypeVar("M", bound=BaseModel)
MOST = 64 * 1024 * 1024
"""Bytes that are held as a whole: of an answer, of an event. A run has 16 MiB of outputs, and more."""
ATTEMPTS = 5
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two attempts, doubled each time."""


def checked_url(text: str) -> httpx.URL:
    """Return a base URL; raise `invalid_request` for what cannot be one."""
    try:
        url = httpx.URL(text)
        is_good = _is_base(url)
    except (httpx.InvalidURL, UnicodeError):  # the second is IDNA's
        is_good = False
    if not is_good:
        raise refusal("The base URL is not of the form http://host:port")
    # what is remembered of a server takes any number of slashes for none as well
    return url.copy_with(raw_path=url.raw_path.rstrip(b"/") or b"/")


def _is_base(url: httpx.URL) -> bool:
    is_plain = url.scheme in ("http", "https") and not url.query and not url.fragment
    is_host = ":" in url.host or _HOST.fullmatch(url.raw_host) is not None
    return is_plain and is_host and (url.port is None or 0 < url.port < 65536)


def is_loopback(url: httpx.URL) -> bool:
    """Tell whether this machine itself is meant: no proxy of the environment leads there."""
    return url.host in ("localhost", "::1") or url.host.startswith("127.")


def connect(
    base_url: str,
    api_key: str | None,
    agent: str,
    timeout: float,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return a client of HTTP, which is to be closed. A redirect is not followed: the key stays here.

    Raises `invalid_request` for an address or a key that cannot be used, and for proxies or
    certificates of the environment's that cannot.
    """
    url = checked_url(base_url)
    headers = {"User-Agent": agent, "Accept-Encoding": "identity"}
    if api_key:
        headers["Authorization"] = f"Bearer {visible(api_key, 'API key')}"
    try:
        return httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=timeout,
            transport=transport,
            trust_env=not is_loopback(url),
            follow_redirects=False,
            event_hooks={"response": [_refuse_redirect]},
        )
    except (ValueError, httpx.InvalidURL, ImportError, OSError) as error:
        raise refusal(
            f"A proxy or a certificate that the environment names cannot be used: {error}"
        ) from error


async def _refuse_redirect(answer: httpx.Response) -> None:
    """Raise `upstream_failed` before the address is looked at: what is none is a fault of httpx's."""
    if answer.has_redirect_location:
        refused = fault(
            "upstream_failed", f"The answer (HTTP {answer.status_code}) leads elsewhere"
        )
        refused.request_id = answer.headers.get("x-request-id")
        raise refused


def visible(text: str, what: str) -> str:
    """Return text that a header can hold; raise `invalid_request`, which does not tell the text."""
    if not _VISIBLE.fullmatch(text):
        raise refusal(f"The {what} holds a space, a line end, or what is outside ASCII")
    return text


def path_of(*segments: str, rest: str = ".") -> str:
    """Return the path of an URL: each segment as one, whatever it holds, then a path of many.

    Raises `invalid_request` for what has no UTF-8.
    """
    parts = [*segments, *(() if rest == "." else rest.split("/"))]
    try:
        return "".join(f"/{_quoted(part)}" for part in parts)
    except UnicodeEncodeError as error:
        raise refusal("The path is not text that UTF-8 can hold") from error


def _quoted(segment: str) -> str:
    """Quote a segment; HTTP clients and proxies take '..' for themselves, where it is a name."""
    quoted = quote(segment, safe="")
    return quoted.replace(".", "%2E") if segment in (".", "..") else quoted


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None: parameters, headers."""
    return {name: value for name, value in values.items() if value is not None}


def pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(FIRST_PAUSE * float(2 ** (failures - 1)), LONGEST_PAUSE)


def connection_fault(error: httpx.TransportError) -> AgenticError:
    """Return the error of a request that got no answer, truthful about its outcome."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return fault("unavailable", "The orchestrator cannot be reached")
    if isinstance(error, httpx.TimeoutException):
        return fault("deadline_exceeded", "The orchestrator did not answer in time")
    return fault("upstream_failed", "The connection to the orchestrator broke")


def body_of(model: type[M], /, **values: Any) -> dict[str, Any]:
    """Return a request's body: only what was given. Raises `invalid_request` before it is sent."""
    try:
        return model(**given(**values)).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        fields = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"]}
            for one in error.errors()
        ]
        raise refusal("The request is not valid", fields=fields) from error


def refusal(detail: str, **context: Any) -> ClientError:
    """Return the client's own `invalid_request`: nothing was sent."""
    refused = ClientError("invalid_request", detail, **context)
    refused.source = "client"
    return refused


def fault(code: str, detail: str) -> SystemFault:
    """Return a fault that the client itself has found."""
    found = SystemFault(code, detail)
    found.source = "client"
    return found
