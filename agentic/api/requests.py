"""Sends a client's requests: reads, and creations that may be repeated when an answer was lost."""

import asyncio
import secrets
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter

from agentic.api.transport import ATTEMPTS, connection_fault, pause, read_answer
from common.errors import SystemFault

T = TypeVar("T")


class Requests:
    """The requests of one client over its connections.

    Every method raises AgenticError: the service's own, or the fault of the connection.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request and return its answer, whatever its status."""
        try:
            return await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise connection_fault(error) from error

    async def read(self, path: str, model: type[T] | TypeAdapter[T], **params: Any) -> T:
        """GET what a path holds, with those parameters that are given."""
        given = {name: value for name, value in params.items() if value is not None}
        return read_answer(await self.send("GET", path, params=given), model)

    async def create(self, path: str, body: dict[str, Any], model: type[T], key: str | None) -> T:
        """POST with an idempotency key, so that it may be repeated when the answer was lost."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self.send("POST", path, json=body, headers=headers)
                return read_answer(answer, model)
            except SystemFault as fault:
                if fault.source != "client" or attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(pause(attempt))
        raise AssertionError  # the last attempt returns or raises
