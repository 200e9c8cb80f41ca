"""The HTTP protocol with an end to its patience: for headers that come slowly, or never end."""

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_TIME = 10.0
"""Seconds for a request's first line and headers."""
MAX_HEADERS = 64 * 1024
"""Bytes of them."""


class PatientProtocol(HttpToolsProtocol):
    """Drops connections that hold a place without ever making a request of it."""

    _timer: TimerHandle | None = None
    _size = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers."""
        super().on_message_begin()
        self._size = 0
        if self._timer is None:
            self._wait()

    def on_url(self, url: bytes) -> None:
        """Count what came of the first line."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting: from here on the body's own bounds hold."""
        self._stop_waiting()
        super().on_headers_complete()

    def _count(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_HEADERS:
            self.transport.abort()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEADER_TIME, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
