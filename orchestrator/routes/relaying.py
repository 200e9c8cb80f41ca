"""Requests that are passed on to the execution environment, and its answers passed back."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.context import ExecutionContext
from common.web.answers import sent_within
from common.web.body import pieces_of
from orchestrator.execution.transfers import Incoming, Transfer, path_to
from orchestrator.routes.dependencies import (
    IdempotencyKey,
    OriginDep,
    Services,
    ServicesDep,
    SessionDep,
)

TRANSFER = (
    "session_not_found", "path_not_allowed", "permission_denied", "path_not_found", "not_a_file",
    "not_a_directory", "unsupported_file", "overloaded", "upstream_failed", "deadline_exceeded",
)  # fmt: skip
"""The errors of every transfer."""
CHANGE = (
    "precondition_failed", "quota_exceeded", "no_space", "idempotency_conflict", "call_expired",
)  # fmt: skip
"""The errors of one that changes something."""
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class Relay(StreamingResponse):
    """Passes an answer on, piece by piece, for as long as a transfer may take.

    A client that goes ends the request upstream; an answer that breaks off ends the client's
    connection, so that it never looks complete.
    """

    def __init__(self, incoming: Incoming, method: str) -> None:
        pieces = _nothing() if method == "HEAD" else incoming.pieces()
        super().__init__(pieces, incoming.status, incoming.headers)
        self._incoming = incoming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; close the request upstream however that ends."""
        try:
            async with sent_within(self._incoming.seconds_left):
                await super().__call__(scope, receive, send)
        finally:
            await self._incoming.close()


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


@dataclass(frozen=True)
class Relayer:
    """Passes one request on, on behalf of its session's user."""

    request: Request
    context: ExecutionContext
    services: Services
    key: str | None

    async def relay(
        self,
        room: str,
        rest: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        has_body: bool = False,
    ) -> Relay:
        """Return the answer of what the workspace is in a room there; raise its error."""
        request = self.request
        asked = Transfer(
            request.method,
            path_to(room, self.context.allowed_paths_root, rest),
            self.context,
            tuple(request.headers.raw),
            params or {},
            self.key,
            request.state.traceparent,
        )
        body = pieces_of(request) if has_body else None
        return Relay(await self.services.upstream.transfers.open(asked, body), request.method)


async def _relayer(
    request: Request,
    session: SessionDep,
    origin: OriginDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> Relayer:
    context = ExecutionContext(
        request_id=origin.request_id,
        session_id=session.id,
        user_id=session.user_id,
        request_source=origin.source,
        allowed_paths_root=f"{session.user_id}/{session.workspace}",
        timeout=services.upstream.transfers.seconds,
    )
    return Relayer(request, context, services, idempotency_key)


RelayerDep = Annotated[Relayer, Depends(_relayer)]
