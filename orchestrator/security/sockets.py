"""Whose a WebSocket is: a browser cannot send its key in a header, so there are two more ways.

The key may come as a second subprotocol, beside the first which alone is agreed on
(`agentic.v1, key.<base64url of the key>`), or as the first message: `{"key": "…"}`.
"""

import asyncio
import base64
import binascii

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from common.errors import ClientError
from common.models import Strict
from common.web.auth import bearer_digest, secret_digest

PROTOCOL = "agentic.v1"
KEY_PREFIX = "key."
FIRST_MESSAGE_TIME = 5.0
"""Seconds for the message with the key; its size is bounded by the protocol (4 KiB)."""


class FirstMessage(Strict):
    """What a client sends that has shown its key in no other way."""

    key: str


async def accept(socket: WebSocket) -> str:
    """Accept the connection and return its user; raise `unauthenticated`.

    It is accepted first, because browsers show why they were refused only where it is closed.
    """
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
    user = socket.state.user_id or socket.state.key_holder(await _digest(socket, offered))
    return str(user)


async def _digest(socket: WebSocket, offered: list[str]) -> bytes:
    if "authorization" in socket.headers:
        return bearer_digest(socket.headers)
    keys = [name.removeprefix(KEY_PREFIX) for name in offered if name.startswith(KEY_PREFIX)]
    if keys:
        return secret_digest(_decoded(keys))
    try:
        async with asyncio.timeout(FIRST_MESSAGE_TIME):
            return secret_digest(await _first_message(socket))
    except TimeoutError:
        raise ClientError("unauthenticated", "No key has come") from None


def _decoded(keys: list[str]) -> bytes:
    try:
        [key] = keys
        return base64.b64decode(key + "=" * (-len(key) % 4), altchars="-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise ClientError("unauthenticated", "One key in base64url is required") from error


async def _first_message(socket: WebSocket) -> bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    try:
        return FirstMessage.model_validate_json(message.get("text") or b"").key.encode()
    except ValidationError as error:
        raise ClientError("unauthenticated", 'The first message has to be {"key": "…"}') from error
