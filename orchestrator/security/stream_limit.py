"""How many streams a user may have open at a time, over all replicas."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from common.errors import ClientError
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.rate_limits import RateLimitStore

LEASE = timedelta(seconds=30)
"""How long a stream counts after its process was last heard of."""


class StreamLimit:
    """The streams of this process: noted in the store while they are open."""

    def __init__(self, store: RateLimitStore, most: int) -> None:
        """`most`: 0 for any number."""
        self._store = store
        self._most = most
        self._open: defaultdict[str, set[str]] = defaultdict(set)
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def stream(self, user_id: str) -> AsyncIterator[None]:
        """Hold one of the user's places; raise `rate_limited` when there is none."""
        if not self._most:
            yield
            return
        stream = secrets.token_hex(8)
        await self._admit(user_id, stream)
        self._open[user_id].add(stream)
        try:
            yield
        finally:
            await asyncio.shield(self._close(user_id, stream))

    async def _admit(self, user_id: str, stream: str) -> None:
        try:
            wait = await self._store.hold_streams(user_id, [stream], LEASE, self._most)
        except StoreUnavailable:  # then those of this process are all that is known
            wait = LEASE if len(self._open.get(user_id, ())) >= self._most else timedelta(0)
        if wait:
            raise ClientError(
                "rate_limited",
                f"More than {self._most} streams are open",
                limit=self._most,
                retry_after=wait,
            )

    def _close(self, user_id: str, stream: str) -> asyncio.Task[None]:
        """Begin to give the place back, in a task of its own.

        Whoever's client has gone is being cancelled, and what it awaited would not be done.
        """
        self._open[user_id].discard(stream)
        if not self._open[user_id]:
            del self._open[user_id]
        dropping = asyncio.create_task(self._drop(user_id, stream))
        self._closing.add(dropping)
        dropping.add_done_callback(self._closing.discard)
        return dropping

    async def _drop(self, user_id: str, stream: str) -> None:
        with suppress(StoreUnavailable):  # it lapses by itself
            await self._store.drop_stream(user_id, stream)

    async def keep(self) -> None:
        """Keep what is open noted, until cancelled."""
        while True:
            await asyncio.sleep(LEASE / timedelta(seconds=3))
            await self.renew()

    async def renew(self) -> None:
        """Note what is open for another while; what the store has forgotten as well."""
        with suppress(StoreUnavailable):
            for user_id, streams in list(self._open.items()):
                await self._store.hold_streams(user_id, list(streams), LEASE)

    async def close(self) -> None:
        """Wait until what was closed is noted."""
        await asyncio.gather(*self._closing)
