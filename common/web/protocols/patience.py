"""The HTTP protocol with timeouts: who holds a connection has to make use of it.

Nobody has shown a secret yet where these bounds are needed. A request that runs is bounded by its
route; all else that a connection can hold up or pile up is bounded here.
"""

import fcntl
import struct
import termios
from asyncio import TimerHandle, Transport

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from common.errors import MEDIA_TYPE, ClientError
from common.ids import new_id
from common.web.protocols.upgrades import SteadfastProtocol

MAX_HEADERS = 64 * 1024
"""Bytes of a request's first line and headers."""
MAX_QUEUED = 8
"""Requests that may wait behind the one that runs; the connection ends after the last of them."""


class HeaderTimeoutProtocol(SteadfastProtocol):
    """Ends connections that hold a place without a request, or without taking its answer.

    One timer runs whenever no request does, and whenever what is to be sent is not taken. What
    comes meanwhile does not turn it back.
    """

    header_time = 10.0
    """Seconds for a request's first line and headers."""
    write_time = 30.0
    """Seconds within which a client has to take something of what is to be sent."""

    drain_pause = 0.05
    """Seconds between two reads of a refused body: its sender should come to read why, no more."""

    _timer: TimerHandle | None = None
    _kept = 0
    """Bytes that came and gave neither a request nor a piece of a body: the parser holds them."""
    _is_in_head = False
    _fault = ""
    """What is wrong, where the parser cannot know it."""
    _ends = False
    """Whether what still comes is left unread."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait(self.header_time)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the connection ends anyhow or gives nothing to work with."""
        if self._ends:
            return
        self._kept += len(data)
        super().data_received(data)
        if self._kept > MAX_HEADERS:
            self.transport.abort()
        elif self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            self.flow.pause_reading()
            self.loop.call_later(self.drain_pause, self.flow.resume_reading)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers."""
        super().on_message_begin()
        self._kept, self._is_in_head = 0, True
        if not self._is_running:
            self._wait(self.header_time)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer, which comes after the body, is none."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the request run, or queue: from here on its route bounds it."""
        self._kept, self._is_in_head = 0, False
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADERS:
            self._fault = f"The headers are longer than {MAX_HEADERS} bytes"
        if size > MAX_HEADERS or len(self.pipeline) >= MAX_QUEUED:
            raise ValueError("too much at once")  # the parser stops
        super().on_headers_complete()
        if not self.flow.write_paused:
            self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        self._kept = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, however much of this one's body is still to come."""
        super().on_response_complete()
        if not self._is_running:
            self._wait(self.timeout_keep_alive)

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what there is for it."""
        super().pause_writing()
        self._wait(self.write_time)

    def resume_writing(self) -> None:
        """Go on with the answer, or wait for the next request."""
        super().resume_writing()
        if self.transport.is_closing():
            return
        if self._is_running:
            self._stop_waiting()
        else:
            self._wait(self.timeout_keep_alive)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; whole requests before it are answered first, in their order."""
        self._ends = True
        if self._is_running and not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif self._is_running and (self.cycle.response_started or self.pipeline):
            self.transport.abort()
        else:
            self.transport.write(self._refusal(self._fault or msg))
            self.transport.close()
            self._wait(self.write_time)

    def _refusal(self, fault: str) -> bytes:
        request_id = new_id("req")
        failure = ClientError("malformed_request", fault, hint="Send HTTP/1.1: RFC 9112.")
        body = failure.problem(self.app_state["source"], request_id).model_dump_json().encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        return b"".join([STATUS_LINE[400], *lines, b"\r\n", body])

    def _unsupported_upgrade_warning(self) -> None:
        """Answer a CONNECT and end: what follows is meant for somebody else."""
        self._ends = True
        self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        async def watched(
            scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
        ) -> None:
            try:
                await app(scope, receive, send)
            finally:
                if not (cycle.response_complete or cycle.disconnected):
                    self._wait(self.write_time)  # an answer that breaks off has to be taken, too

        super()._start_asgi_task(cycle, watched)

    @property
    def _is_running(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._look, seconds, self._untaken())

    def _look(self, seconds: float, before: int) -> None:
        """End the connection, unless the client still takes what there is for it."""
        if self._untaken() < before:
            self._wait(seconds)
        else:
            self.transport.abort()

    def _untaken(self) -> int:
        """Return the bytes that the client has not taken yet, those in the kernel included."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        try:
            (unsent,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
        except (OSError, ValueError):  # it is closed already
            unsent = 0
        return self.transport.get_write_buffer_size() + int(unsent)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
