"""Counts what a client sends and receives."""

from collections.abc import AsyncIterator

import httpx


class Counting(httpx.AsyncBaseTransport):
    """Counts the bytes of bodies."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.sent = self.received = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and count both bodies as they pass."""
        request.stream = _Counted(request.stream, self, "sent")
        answer = await self._inner.handle_async_request(request)
        answer.stream = _Counted(answer.stream, self, "received")
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx.AsyncByteStream):
    def __init__(self, stream: object, counts: Counting, name: str) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)
        self._stream, self._counts, self._name = stream, counts, name

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            setattr(self._counts, self._name, getattr(self._counts, self._name) + len(piece))
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
