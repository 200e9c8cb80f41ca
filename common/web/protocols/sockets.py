"""The WebSocket protocol with bounds: nobody holds a connection without making use of it."""

import socket
from asyncio import BaseTransport, TimerHandle

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

UNTAKEN = 30.0
"""Seconds after which the kernel cuts off a client that takes nothing of what is sent."""

TRY_AGAIN = 1013


class PatientWebSocketProtocol(WebSocketsSansIOProtocol):
    """Ends what is no handshake, and what a client does not take."""

    write_time = 10.0
    """Seconds within which a client has to take what is sent, but for what the kernel holds."""
    close_time = 10.0
    """Seconds for the client to take what was sent before the close, and to close as well."""

    _patience: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound how long what is sent may lie here untaken, whoever ends the connection and how."""
        connection = transport.get_extra_info("socket")
        if connection.family != socket.AF_UNIX:
            milliseconds = round(UNTAKEN * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a handshake comes as a whole, and one that cannot be read would wait for ever."""
        super().data_received(data)
        if not self.handshake_initiated:
            self.transport.close()

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what there is for it."""
        super().pause_writing()
        self._stop_waiting()
        self._patience = self.loop.call_later(self.write_time, self._give_up)

    def resume_writing(self) -> None:
        """Go on."""
        self._stop_waiting()
        super().resume_writing()

    async def send(self, message: ASGISendEvent) -> None:
        """Send, once the client has taken what came before; but a close waits for nobody."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # by a refusal; uvicorn would report that none was made
        if self.close_timer is not None:  # it would close once everything is taken
            self._close_soon()

    def _give_up(self) -> None:
        """Close with 1013, try again later: more than this is not kept for a slow client."""
        if self.close_sent or self.transport.is_closing():
            self.transport.abort()
            return
        self.conn.send_close(TRY_AGAIN)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": TRY_AGAIN})
        self.close_sent = self.disconnected = True
        self.writable.set()  # what waits to be sent finds that there is nobody
        self._close_soon()

    def _close_soon(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self.close_time, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
