"""Answers that are sent piece by piece: each ends at its deadline, and gives back what it holds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.errors import SystemFault


class Held(Protocol):
    """What an answer is read from."""

    @property
    def seconds_left(self) -> float:
        """How long it may still be sent."""
        ...

    def close(self) -> None:
        """Give it back; once is enough."""
        ...


class Sending(StreamingResponse):
    """Ends at the deadline, taken or not; closes what it reads from, also when it never began."""

    def __init__(self, held: Held, pieces: AsyncIterator[bytes], **more: Any) -> None:
        super().__init__(pieces, **more)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            async with asyncio.timeout(self._held.seconds_left):
                await super().__call__(scope, receive, send)
        except TimeoutError as late:
            raise SystemFault(
                "deadline_exceeded", "The client takes the answer too slowly"
            ) from late
        finally:
            self._held.close()
