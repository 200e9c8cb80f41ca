"""The WebSocket protocol with bounds: nobody holds a connection without making use of it."""

import socket
from asyncio import BaseTransport

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

UNTAKEN = 30.0
"""Seconds after which the kernel cuts off a client that takes nothing of what is sent."""


class PatientWebSocketProtocol(WebSocketsSansIOProtocol):
    """Ends what is no handshake, and what a client does not take."""

    close_time = 10.0
    """Seconds for the client to take what was sent before the close, and to close as well."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound how long what is sent may lie here untaken, whoever ends the connection and how."""
        connection = transport.get_extra_info("socket")
        if connection.family != socket.AF_UNIX:
            milliseconds = round(UNTAKEN * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Read on; a handshake comes as a whole, and one that cannot be read would wait for ever."""
        super().data_received(data)
        if not self.handshake_initiated:
            self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """Send, once the client has taken what came before; but a close waits for nobody."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = (
                True  # by a refusal; uvicorn would report an answer that is missing
            )
        if self.close_timer is not None:  # it would close once everything is taken
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_time, self.transport.abort)
