"""Refuses requests that two readers could take differently, before anything is made of them."""

from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import ClientError
from common.web.errors import problem_response

SINGLE = frozenset(
    {
        b"host", b"origin", b"content-type", b"idempotency-key", b"last-event-id",
        b"x-fence", b"x-execution-context",
    }
)  # fmt: skip
"""Headers that say one thing: of several lines each reader would believe another one."""


class Unambiguous:
    """ASGI middleware: answers 400 to addresses that are not text and to contradictory headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the first line and the headers only."""
        if scope["type"] in ("http", "websocket"):
            try:
                _require_text(scope["raw_path"] + b"?" + scope["query_string"])
                _require_single(scope["headers"])
            except ClientError as refusal:
                await problem_response(refusal, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _require_text(address: bytes) -> None:
    """Servers replace what is not UTF-8: the names `%fe` and `%ff` would be one."""
    try:
        unquote_to_bytes(address).decode()
    except UnicodeDecodeError as error:
        raise ClientError(
            "malformed_request",
            "The address is not UTF-8",
            hint=r"In a path, write a byte of a name that is not UTF-8 as \xNN (%5CxNN).",
        ) from error


def _require_single(headers: list[tuple[bytes, bytes]]) -> None:
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in SINGLE and seen.setdefault(name, value) != value:
            raise ClientError(
                "malformed_request",
                f"The header {name.decode()} is there twice, with different values",
                hint="Send it once.",
            )
