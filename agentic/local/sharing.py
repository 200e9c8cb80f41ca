"""One stack for all who use a data directory: whoever finds none starts it, and the others find it.

It ends with the program that has started it. Whoever still needs it then starts it again, on the same data.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from agentic.local.ownership import OwnedError, StackError, noted_url
from agentic.local.stack import START_TIMEOUT, STOP_TIMEOUT, Stack, is_ready, running_stack

PATIENCE = START_TIMEOUT + STOP_TIMEOUT
"""Seconds until another's stack serves, or has ended."""
PAUSE = 0.2
"""Seconds between two looks at it."""


class SharedStack:
    """The stack of a data directory; use it as `async with`, which ends it where it was started here."""

    def __init__(self, data_dir: Path, patience: float = PATIENCE) -> None:
        self._data_dir = data_dir
        self._patience = patience
        self._ending = AsyncExitStack()
        self._finding = asyncio.Lock()
        self._own: Stack | None = None
        self._url: str | None = None

    async def __aenter__(self) -> Self:
        """Return the stack itself, which is looked for when its URL is asked for."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the stack that was started here."""
        await self._ending.aclose()

    async def url(self, is_lost: bool) -> str:
        """Return where it serves; `is_lost`: nobody has answered where it did.

        Raises StackError where there is none, and none can be started.
        """
        async with self._finding:
            if self._url is None or is_lost:
                self._url = await self._found()
            return self._url

    async def _found(self) -> str:
        if self._own is not None and self._own.is_up:
            return self._own.url
        self._own = None
        await self._ending.aclose()
        deadline = time.monotonic() + self._patience
        async with httpx.AsyncClient(trust_env=False) as http:
            while (url := await self._started()) is None:
                url = noted_url(self._data_dir)
                if url is not None and await is_ready(http, url):
                    return url
                if time.monotonic() > deadline:
                    raise StackError(
                        f"a stack has {self._data_dir}, and does not serve; agentic down ends it,"
                        " and --data-dir names another directory"
                    )
                await asyncio.sleep(PAUSE)
        return url

    async def _started(self) -> str | None:
        """Start it, and return where it serves; None where another program has it."""
        try:
            self._own = await self._ending.enter_async_context(running_stack(self._data_dir))
        except OwnedError:
            return None
        return self._own.url
