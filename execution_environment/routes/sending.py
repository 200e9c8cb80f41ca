"""Answers that are sent piece by piece: each ends at its deadline, and gives back what it holds."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.web.answers import sent_within


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
            async with sent_within(self._held.seconds_left):
                await super().__call__(scope, receive, send)
        finally:
            self._held.close()
