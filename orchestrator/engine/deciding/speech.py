"""Shows what a planner says while it decides, in pieces that are worth a write each."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from common.logs import get_logger
from orchestrator.planners.protocol import Speech
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.conversation import Conversation
from orchestrator.store.records import Lease

log = get_logger(__name__)
INTERVAL = 0.05
"""Seconds between two writes: what is said meanwhile goes with the next."""


class RunSpeech(Speech):
    """What is said on the way to one turn. The first piece is written at once, the others gathered.

    Leaving the context writes what is left, or, on an error, stops. Speech is shown, not kept (the turn
    keeps it): when the store stays away, the rest of it is not said. Fenced is raised at the next
    occasion, as everything else that is nobody's to pass over.
    """

    def __init__(
        self, conversation: Conversation, lease: Lease, t: int, interval: float = INTERVAL
    ) -> None:
        self._conversation = conversation
        self._lease = lease
        self._t = t
        self._interval = interval
        self._waiting: list[str] = []
        self._shown = 0
        """Bytes that were written of this attempt."""
        self._writing: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._is_silent = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            await self._catch_up()
        elif self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def say(self, text: str) -> None:
        """Show a further piece of it."""
        if self._writing is not None and self._writing.done():
            self._writing.result()
            self._writing = None
        if self._is_silent or not text:
            return
        self._waiting.append(text)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def begin_again(self) -> None:
        """Take back what was said: the next piece begins a new attempt, in place of this one."""
        self._waiting.clear()
        await self._catch_up()
        self._shown = 0

    async def _catch_up(self) -> None:
        """Return when nothing waits to be written."""
        self._hurry.set()
        if self._writing is not None:
            await self._writing
            self._writing = None
        self._hurry.clear()

    async def _write(self) -> None:
        """Write until nothing more was said during a pause."""
        while self._waiting and not self._is_silent:
            text = "".join(self._waiting)
            self._waiting.clear()
            try:
                await self._conversation.append_text(self._lease, self._t, self._shown, text)
            except StoreUnavailable as fault:
                log.warning("the rest of what is said is not shown", code=fault.code)
                self._is_silent = True
            self._shown += len(text.encode())
            await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval):
                await self._hurry.wait()
