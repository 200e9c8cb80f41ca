"""What users have asked for lately, counted for all replicas together, by the store's own clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.store.backend import Backend, milliseconds

BATCH = 500
"""Streams that one script notes."""


@dataclass(frozen=True)
class Rate:
    """A bucket that holds `burst` and fills with `count` per `period`, evenly."""

    count: int
    period: timedelta
    burst: int

    @property
    def each(self) -> float:
        """Microseconds in which one comes back."""
        return self.period / timedelta(microseconds=1) / self.count

    @property
    def all(self) -> float:
        """Microseconds in which an empty bucket fills."""
        return self.each * self.burst


class RateLimitStore:
    """Buckets and open streams; everything in it expires."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def spend(self, user_id: str, name: str, rate: Rate) -> timedelta:
        """Take one from a user's bucket; return how long to wait when it is empty, else zero."""
        [wait] = await self._backend.script_on(
            "spend",
            [self._backend.keys.limit(user_id, name)],
            repr(rate.each),
            repr(rate.all),
            patience=timedelta(0),  # the caller has a bucket of its own for that time
        )
        return timedelta(microseconds=int(wait))

    async def hold_streams(
        self, user_id: str, streams: Sequence[str], lease: timedelta, most: int | None = None
    ) -> timedelta:
        """Note streams as open until the lease ends; with `most`, only if no more are open then.

        Returns zero, or how long it takes until one of those that are open lapses.
        """
        wait = 0
        for start in range(0, len(streams), BATCH):
            [wait] = await self._backend.script_on(
                "hold_streams",
                [self._backend.keys.limit(user_id, "streams")],
                milliseconds(lease),
                "" if most is None else most,
                *streams[start : start + BATCH],
            )
        return timedelta(milliseconds=int(wait))

    async def drop_stream(self, user_id: str, stream: str) -> None:
        """Note that a stream is closed."""
        key = self._backend.keys.limit(user_id, "streams")
        await self._backend.do(self._backend.redis.zrem(key, stream))
