"""Bodies of any size, to the execution environment and from it: passed on as they come, never held.

Nothing is repeated here: a body can be read once. A request whose answer is lost ends as unknown,
and whoever made it may make it again under the same key.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import quote

import httpx

from common.context import ExecutionContext
from common.errors import AgenticError, SystemFault
from orchestrator.execution.client import (
    ANSWER_MARGIN,
    CONNECT_TIMEOUT,
    transport_fault,
    upstream_error,
)

MAX_TRANSFERS = 256
"""Bodies that are under way at the same time; others wait for CONNECT_TIMEOUT."""
PASSED_ON = frozenset(
    {
        b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since", b"accept",
        b"if-unmodified-since", b"content-length", b"content-type", b"content-range",
    }
)  # fmt: skip
"""What of a request's headers the other service is told."""
PASSED_BACK = (
    "content-type", "content-length", "content-range", "accept-ranges", "etag", "last-modified",
)  # fmt: skip
"""What of an answer's headers the client is told."""
Header = tuple[bytes, bytes]
Body = AsyncIterator[bytes]


@dataclass(frozen=True)
class Transfer:
    """A request whose body, or answer, may have any size; `path` as `path_to` makes it."""

    method: str
    path: str
    context: ExecutionContext
    headers: tuple[Header, ...] = ()
    """The client's, of which some are passed on."""
    params: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    """The client's; without one the request is another each time."""
    traceparent: str | None = None

    def all_headers(self) -> list[Header]:
        """Return what is passed on of the client's headers, and on whose behalf it asks."""
        added = {
            "X-Request-ID": self.context.request_id,
            "X-Execution-Context": json.dumps(self.context.model_dump(mode="json")),
            "Accept-Encoding": "identity",
            "Idempotency-Key": self._call_id(),
            "traceparent": self.traceparent,
        }
        passed = [header for header in self.headers if header[0] in PASSED_ON]
        told = [(name, value) for name, value in added.items() if value is not None]
        return [*passed, *((name.encode(), value.encode()) for name, value in told)]

    def _call_id(self) -> str | None:
        """Return the id that the client's key stands for: in each session for another one."""
        if self.key is None:
            return None
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        return f"file:{self.context.session_id}:{digest}"


def path_to(room: str, root: str, rest: str | None = None) -> str:
    """Return the path of a workspace in a room of the service, or of what `rest` names there."""
    start = f"/v1/{room}/{root}"
    return start if rest is None else f"{start}/{'/'.join(map(_quoted, rest.split('/')))}"


def _quoted(segment: str) -> str:
    r"""Quote a segment, `..` in the service's own escapes (`\x2e`).

    HTTP clients would take it away, and a segment before it: what it means is refused there.
    """
    return quote(segment.replace(".", r"\x2e") if segment in (".", "..") else segment, safe="")


class Incoming:
    """An answer whose head has come. Whoever opened it closes it, also when nobody wants its body."""

    def __init__(self, answer: httpx.Response, deadline: float) -> None:
        self._answer = answer
        self._deadline = deadline
        self.status = answer.status_code
        self.headers = {
            name: answer.headers[name] for name in PASSED_BACK if name in answer.headers
        }

    @property
    def seconds_left(self) -> float:
        """How long its body may still take."""
        return max(self._deadline - time.monotonic(), 0.0)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield its body; raise `upstream_failed` unless all of it comes."""
        try:
            async for piece in self._answer.aiter_raw():
                yield piece
        except httpx.TransportError as error:
            raise transport_fault(error) from error

    async def close(self) -> None:
        """End the request, and its connection too unless the answer has come to its end."""
        await self._answer.aclose()


class _Outgoing:
    """A body on its way; what ends it early is kept, for the transport tells it as its own fault."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.failure: AgenticError | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._body:
                yield piece
        except AgenticError as failure:
            self.failure = failure
            raise


class Transfers:
    """Makes transfers, each of which may take so long."""

    def __init__(self, http: httpx.AsyncClient, timeout: timedelta) -> None:
        self._http = http
        self.seconds = timeout.total_seconds()

    async def open(self, asked: Transfer, body: Body | None = None) -> Incoming:
        """Make a request, with a body that is read as it goes; return its answer, unless an error.

        Raises the service's own error, or that of the body; `unavailable` (not executed) when the
        request cannot have arrived; `deadline_exceeded` or `upstream_failed` (outcome unknown) when
        it may have.
        """
        outgoing = None if body is None else _Outgoing(body)
        seconds = self.seconds + ANSWER_MARGIN
        deadline = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                return Incoming(await self._answered(asked, outgoing, seconds), deadline)
        except httpx.TransportError as error:
            failure = None if outgoing is None else outgoing.failure
            raise failure or transport_fault(error) from error
        except TimeoutError as late:
            raise SystemFault("deadline_exceeded", "The transfer took too long") from late

    async def _answered(
        self, asked: Transfer, body: _Outgoing | None, seconds: float
    ) -> httpx.Response:
        request = self._http.build_request(
            asked.method,
            asked.path,
            params=asked.params,
            headers=asked.all_headers(),
            content=body,
            timeout=httpx.Timeout(seconds, connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT),
        )
        answer = await self._http.send(request, stream=True)
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        try:
            await answer.aread()
        finally:
            await answer.aclose()
        if asked.method == "HEAD":  # its answer does not say what is wrong
            return await self._answered(replace(asked, method="GET"), None, seconds)
        raise upstream_error(answer)
