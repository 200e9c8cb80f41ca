"""Bearer secrets: compared as digests, in constant time, before the body is read."""

import hashlib
import hmac

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import ClientError
from common.web.errors import problem_response

OPEN_PREFIX = "/health/"
"""Probes carry no secret; one that they do carry has to be right."""


def bearer_digest(headers: Headers) -> bytes:
    """Return the SHA-256 of the bearer secret; raise `unauthenticated` unless there is just one.

    Header values are bytes: Latin-1 gives back the ones that were sent.
    """
    values = headers.getlist("authorization")
    scheme, _, secret = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not secret.strip():
        raise ClientError("unauthenticated", "One 'Authorization: Bearer …' header is required")
    return secret_digest(secret.encode("latin-1"))


def secret_digest(secret: bytes) -> bytes:
    """Return the SHA-256 of a secret as it was sent, with nothing blank around it."""
    return hashlib.sha256(secret.strip()).digest()


class ServiceToken:
    """ASGI middleware: only callers that show the service's own secret get in."""

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self.app = app
        self._digest = hashlib.sha256(token.get_secret_value().encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 without looking at anything else of the request."""
        if scope["type"] == "http" and not _is_open(scope):
            try:
                self._check(Headers(scope=scope))
            except ClientError as refusal:
                await problem_response(refusal, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        if not hmac.compare_digest(bearer_digest(headers), self._digest):
            raise ClientError("unauthenticated", "The bearer secret is not valid")


def _is_open(scope: Scope) -> bool:
    is_probe = scope["path"].startswith(OPEN_PREFIX)
    return is_probe and "authorization" not in Headers(scope=scope)
