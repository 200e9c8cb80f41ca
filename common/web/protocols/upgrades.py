"""HTTP/1.1 also for those who offer to speak another protocol: the offer is passed over.

RFC 9110, 7.8: a server may ignore it, and serves the request as if nothing were offered. The parser
cannot: to it such a request ends with its headers, and the body is in the other protocol already.
"""

from asyncio import Transport

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_BLANKS = b" \t"


class _Parser(httptools.HttpRequestParser):
    """Has the protocol read on behind an offer that is passed over."""

    def __init__(self, protocol: "SteadfastProtocol") -> None:
        super().__init__(protocol)
        self._protocol = protocol
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """Read what has come."""
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._protocol.read_again():
                raise
            self._protocol.parser.feed_data(data[upgrade.args[0] :])


class SteadfastProtocol(HttpToolsProtocol):
    """Reads the head of a request that offers another protocol once more, without the offer.

    A request to CONNECT, and one for a WebSocket where they are served, is left to uvicorn.
    """

    _is_passed_over = False
    """Whether the parser is at a request with an offer that it is to read again."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Read with a parser that may be replaced."""
        super().connection_made(transport)
        self.parser = _Parser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what is blank behind its value is no part of it (RFC 9112, 5.1)."""
        super().on_header(name, value.rstrip(_BLANKS))

    def on_headers_complete(self) -> None:
        """Let the request run, unless it is to be read again."""
        is_offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        self._is_passed_over = is_offered and not self._should_upgrade()
        if not self._is_passed_over:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note the end of the body, unless the request is to be read again."""
        if not self._is_passed_over:
            super().on_message_complete()

    def _should_upgrade(self) -> bool:
        """Tell whether a WebSocket is asked for: with a GET (RFC 6455, 4.1), any other is an offer."""
        return super()._should_upgrade() and self.parser.get_method() == b"GET"

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, unless the answer to an earlier request is still on its way."""
        if self.flow.write_paused or not (self.cycle is None or self.cycle.response_complete):
            self.transport.abort()
        else:
            super().handle_websocket_upgrade()

    def read_again(self) -> bool:
        """Read the head of the request without its offer; False where none is passed over."""
        if not self._is_passed_over:
            return False
        head, self.parser = self._head(), _Parser(self)
        self.parser.feed_data(head)
        return True

    def _head(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])
