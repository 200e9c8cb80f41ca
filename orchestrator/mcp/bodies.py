"""What a body may be before the protocol's library has it, which reads what it likes, on the event loop."""

import asyncio
from typing import Any

from common.documents import strict_json
from common.documents.jsonrpc import require_message
from common.errors import ClientError
from common.web.body import SMALL

MAX_AROUND = 1000
"""Values of a message besides the arguments of its call: the library makes and checks each of them."""


async def require_plain(body: bytes) -> None:
    """Raise for what two parsers could read differently, for what is too much, and for what is no message.

    That is `malformed_request`, `request_too_large` as above, and `invalid_request`.
    """
    if len(body) <= SMALL:
        _require_plain(body)
    else:
        await asyncio.to_thread(_require_plain, body)


def _require_plain(body: bytes) -> None:
    message = strict_json.loads(body)
    around = _around_arguments(message)
    if _is_beyond(around, MAX_AROUND):
        raise ClientError(
            "request_too_large", "The message has too many values around its arguments",
            limit=MAX_AROUND,
        )  # fmt: skip
    require_message(message)


def _around_arguments(message: Any) -> Any:
    """Return a message without the arguments of its call."""
    params = message.get("params") if isinstance(message, dict) else None
    if not isinstance(params, dict):
        return message
    return {**message, "params": {**params, "arguments": None}}


def _is_beyond(message: Any, most: int) -> bool:
    """Tell whether there are more values in it."""
    level, count = [message], 0
    while level and count <= most:
        count += len(level)
        level = [child for node in level for child in _children(node)]
    return count > most


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
