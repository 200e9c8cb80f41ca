"""The methods of a path: HEAD wherever there is GET, and all of them for Allow (RFC 9110, 9.3.2)."""

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def allowed_methods(scope: Scope) -> list[str]:
    """Return the methods that some route takes for the path of a request."""
    methods = [method for method in METHODS if _is_taken(scope, method)]
    return ["HEAD", *methods] if "GET" in methods else methods


def _is_taken(scope: Scope, method: str) -> bool:
    asked = {"type": "http", "path": scope["path"], "method": method, "headers": []}
    return any(route.matches(asked)[0] is Match.FULL for route in scope["app"].routes)


class HeadLikeGet:
    """ASGI middleware: a HEAD that no route takes is the GET of its path without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for the body and leave it away."""
        if scope["type"] == "http" and scope["method"] == "HEAD" and _is_for_get(scope):
            await self.app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await self.app(scope, receive, send)


def _is_for_get(scope: Scope) -> bool:
    return _is_taken(scope, "GET") and not _is_taken(scope, "HEAD")


def _without_body(send: Send) -> Send:
    """Return a `send` whose answer ends where its body begins, however long that would be."""
    has_ended = False

    async def send_head(message: Message) -> None:
        nonlocal has_ended
        if message["type"] != "http.response.body":
            await send(message)
        elif not has_ended:
            has_ended = True
            await send({"type": "http.response.body"})

    return send_head
