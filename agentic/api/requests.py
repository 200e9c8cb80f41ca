"""Sends a client's requests: reads, streams, and changes that are repeated when an answer was lost."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from agentic.api.answers import Answer, Stream, raise_for_error, read_answer, stream_of
from agentic.api.transport import ATTEMPTS, connection_fault, fault, given, pause, refusal, visible
from common.errors import SystemFault

T = TypeVar("T")
Body = Callable[[], AsyncIterator[bytes]]
"""Makes a body of any size, anew each time that it has to be sent."""
SILENCE = 600.0
"""Seconds without a byte, either way, in a transfer: much may be hashed meanwhile."""


class Requests:
    """The requests of one client over its connections.

    Every method raises AgenticError: the service's own, or the fault of the connection. Seconds:
    `timeout` for a whole answer, `transfer_timeout` for what streams, in or out.
    """

    def __init__(self, http: httpx.AsyncClient, timeout: float, transfer_timeout: float) -> None:
        self._http = http
        self._timeout = timeout
        self._transfer_timeout = transfer_timeout
        self._patience = httpx.Timeout(min(SILENCE, transfer_timeout), connect=timeout)

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        """Send one request and return its whole answer, whatever its status."""
        seconds = options.get("timeout", self._timeout)
        async with within(seconds), self.opened(method, path, **options) as answer:
            return await answer.whole()

    async def read(self, path: str, model: type[T], **params: Any) -> T:
        """GET what a path holds, with those parameters that are given."""
        return read_answer(await self.send("GET", path, params=given(**params)), model)

    async def create(
        self,
        path: str,
        body: dict[str, Any],
        model: type[T],
        key: str | None,
        wait: int | None = None,
    ) -> T:
        """POST with an idempotency key, so that it may be repeated when the answer was lost.

        `wait`: seconds that the service may hold the answer back, beside those of any answer.
        """
        options: dict[str, Any] = {"json": body, "headers": _keyed(key)}
        if wait is not None:
            options["headers"]["Prefer"] = f"wait={wait}"
            options["timeout"] = self._timeout + wait
        return await _repeated(lambda: self.send("POST", path, **options), model)

    async def put(
        self, method: str, path: str, body: dict[str, Any], model: type[T], revision: int | None
    ) -> T:
        """Send what is to hold, where there is this revision still; again when the answer was lost.

        The same body under the same revision again is the same request.
        """
        headers = given(**{"If-Match": None if revision is None else f'"{revision}"'})
        return await _repeated(lambda: self.send(method, path, json=body, headers=headers), model)

    async def transfer(
        self,
        method: str,
        path: str,
        model: type[T],
        key: str | None,
        *,
        content: bytes | Body = b"",
        **options: Any,
    ) -> T:
        """Send a body of any size with an idempotency key, again when the answer was lost."""
        options["headers"] = {**_keyed(key), **options.get("headers", {})}

        async def attempt() -> Answer:
            body = content if isinstance(content, bytes) else content()
            opened = self.opened(method, path, content=body, timeout=self._patience, **options)
            async with opened as answer:
                return await answer.whole()

        async with within(self._transfer_timeout):
            return await _repeated(attempt, model)

    @asynccontextmanager
    async def streamed(self, method: str, path: str, **options: Any) -> AsyncIterator[Stream]:
        """Send a request for what may have any size, and any size itself; yield a good answer."""
        seconds = self._transfer_timeout
        until = time.monotonic() + seconds
        options["timeout"] = self._patience
        async with self.answered(method, path, seconds=seconds, **options) as answer:
            yield replace(answer, pieces=_until(until, answer.pieces))

    @asynccontextmanager
    async def prompt(self, method: str, path: str, **options: Any) -> AsyncIterator[Stream]:
        """Send a request and yield a good answer, to be read within the timeout."""
        async with within(self._timeout), self.answered(method, path, **options) as answer:
            yield answer

    @asynccontextmanager
    async def answered(
        self, method: str, path: str, *, seconds: float | None = None, **options: Any
    ) -> AsyncIterator[Stream]:
        """Send a request and yield a good answer; its headers have come within the time."""
        async with self.opened(method, path, seconds=seconds or self._timeout, **options) as answer:
            if not answer.is_success:
                async with within(self._timeout):
                    raise_for_error(await answer.whole())
            yield answer

    @asynccontextmanager
    async def opened(
        self, method: str, path: str, *, seconds: float | None = None, **options: Any
    ) -> AsyncIterator[Stream]:
        """Send a request and yield its answer, whatever its status; its headers have come within the time."""
        try:
            request = self._http.build_request(method, path, **options)
        except UnicodeError as error:
            raise refusal("The request holds text that cannot be sent") from error
        try:
            async with within(seconds):
                answer = await self._http.send(request, stream=True)
            try:
                yield stream_of(answer)
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            raise connection_fault(error) from error


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Raise `deadline_exceeded` for what takes longer: every byte may be in time, and all not."""
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError as error:
        if not timer.expired():
            raise
        raise _late() from error


async def _until(moment: float, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces up to a moment, and wait for none beyond it: bytes may come that make up none."""
    while True:
        left = moment - time.monotonic()
        if left <= 0:
            raise _late()
        async with within(left):
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


async def _repeated(attempt: Callable[[], Awaitable[Answer]], model: type[T]) -> T:
    """Return what the answer holds; ask again while none comes that is the orchestrator's."""
    for failures in range(1, ATTEMPTS):
        try:
            return read_answer(await attempt(), model)
        except SystemFault as error:
            if error.source != "client":
                raise
        await asyncio.sleep(pause(failures))
    return read_answer(await attempt(), model)


def _keyed(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": visible(key, "key") if key else secrets.token_hex(16)}


def _late() -> SystemFault:
    return fault("deadline_exceeded", "The orchestrator did not answer in time")
