"""Who may use this service: holders of an API key, or this machine's own user when there is none."""

import hmac
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import ClientError
from common.web.auth import OPEN_PREFIX, bearer_digest
from common.web.errors import problem_response

LOCAL_USER = "local"
IsLocal = Callable[[str], bool]


class Access:
    """ASGI middleware: sets `state.user_id`, or answers 401 or 403.

    A WebSocket's user is None where keys are needed: it may show one later than in its headers, and
    `state.key_holder` then says whose it is (`security/sockets.py`).
    """

    def __init__(
        self, app: ASGIApp, *, api_keys: Mapping[bytes, str], any_host: bool, is_local: IsLocal
    ) -> None:
        self.app = app
        self._keys = api_keys
        self._any_host = any_host
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks before anything else of the request is read."""
        if scope["type"] != "lifespan" and not scope["path"].startswith(OPEN_PREFIX):
            try:
                user = self._user(Headers(scope=scope), is_socket=scope["type"] == "websocket")
            except ClientError as refusal:
                await problem_response(refusal, scope)(scope, receive, send)
                return
            scope["state"].update(user_id=user, key_holder=self._key_holder)
        await self.app(scope, receive, send)

    def _user(self, headers: Headers, *, is_socket: bool = False) -> str | None:
        if self._keys:
            return None if is_socket else self._key_holder(bearer_digest(headers))
        # Without keys, any web page that this machine's user opens could drive the service
        # (DNS rebinding, cross-site requests): its Host or its Origin gives it away.
        if not self._any_host and not self._is_local(_host(f"//{headers.get('host', '')}")):
            raise ClientError("forbidden", "The Host header does not name this machine")
        origin = headers.get("origin")
        if origin is not None and not self._is_local(_host(origin)):
            raise ClientError("forbidden", "Requests from web pages of other origins are refused")
        return LOCAL_USER

    def _key_holder(self, shown: bytes) -> str:
        """Return the user of the key with this digest."""
        users = [user for digest, user in self._keys.items() if hmac.compare_digest(digest, shown)]
        if not users:
            raise ClientError("unauthenticated", "The API key is not valid")
        return users[0]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
