"""Behind a door: the library's transports, one for each era of the protocol."""

import asyncio
import logging
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send


class Serving:
    """Answers clients of every revision: the newer ones with events where there is progress to tell.

    Older ones get JSON: an event stream would be no use to them, since they could not answer what is asked
    in it.
    """

    def __init__(self, server: Server[Any], max_body: int) -> None:
        """`max_body`: bytes of a request, which is bounded before it comes here."""
        logging.getLogger("mcp").setLevel(logging.WARNING)  # it tells of every request's end
        self._older = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=max_body
        )
        self._newer = StreamableHTTPSessionManager(
            server, stateless=True, max_request_body_size=max_body
        )

    async def keep(self, ready: asyncio.Event) -> None:
        """Be ready for requests until cancelled."""
        async with self._older.run(), self._newer.run():
            ready.set()
            await asyncio.Event().wait()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; whoever names no revision is older than those that have to."""
        revision = Headers(scope=scope).get(MCP_PROTOCOL_VERSION_HEADER)
        is_older = revision is None or revision in HANDSHAKE_PROTOCOL_VERSIONS
        transport = self._older if is_older else self._newer
        await transport.handle_request(scope, receive, send)
