"""How much one user may ask for: requests, started runs, open streams; the same for all replicas."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import ClientError
from common.web.errors import problem_response
from orchestrator.security.stream_limit import StreamLimit
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.rate_limits import Rate, RateLimitStore

REQUEST_BURST = 2
"""Seconds' worth of requests that may come at once: a page that opens asks for many things."""


@dataclass(frozen=True)
class UserLimits:
    """What each user may have; 0 is any number."""

    requests_per_second: int = 0
    runs_per_minute: int = 0
    streams: int = 0


class RateLimits:
    """Refuses what is too much with `rate_limited`, and says when to come again."""

    def __init__(self, store: RateLimitStore, limits: UserLimits) -> None:
        requests, runs = limits.requests_per_second, limits.runs_per_minute
        self._requests = Rate(requests, timedelta(seconds=1), requests * REQUEST_BURST)
        self._runs = Rate(runs, timedelta(minutes=1), runs)
        self._store = store
        self._own = OwnBuckets()
        self.streams = StreamLimit(store, limits.streams)

    async def count_request(self, user_id: str) -> None:
        """Count a request; raise `rate_limited` when it is one too many."""
        await self._spend(user_id, "requests", self._requests, "second")

    async def count_run(self, user_id: str) -> None:
        """Count a run that shall start; raise `rate_limited` when it is one too many."""
        await self._spend(user_id, "runs", self._runs, "minute")

    def stream(self, user_id: str) -> AbstractAsyncContextManager[None]:
        """Hold one of the user's places for streams; raise `rate_limited` when there is none."""
        return self.streams.stream(user_id)

    async def _spend(self, user_id: str, name: str, rate: Rate, period: str) -> None:
        if not rate.count:
            return
        try:
            wait = await self._store.spend(user_id, name, rate)
        except StoreUnavailable:
            wait = self._own.spend(user_id, name, rate)
        if wait:
            raise ClientError(
                "rate_limited",
                f"More than {rate.count} {name} per {period}",
                limit=rate.count,
                retry_after=wait,
            )


class OwnBuckets:
    """What bounds users while the store is away: this process's own buckets (lua/spend.lua)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full: dict[tuple[str, str], float] = {}

    def spend(self, user_id: str, name: str, rate: Rate) -> timedelta:
        """Take one from a user's bucket; return how long to wait when it is empty, else zero."""
        now = self._clock() * 1_000_000
        full = max(self._full.get((user_id, name), 0.0), now) + rate.each
        wait = full - now - rate.all
        if wait > 0:
            return timedelta(microseconds=wait)
        self._full[user_id, name] = full
        return timedelta(0)


class RequestLimit:
    """ASGI middleware, inside of Access: counts the requests of users; probes have none.

    A WebSocket is counted by its route: whose it is shows only after it was accepted.
    """

    def __init__(self, app: ASGIApp, limits: Callable[[], RateLimits]) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429 without looking at anything else of the request."""
        user_id = scope.get("state", {}).get("user_id")
        if scope["type"] == "http" and user_id is not None:
            try:
                await self._limits().count_request(user_id)
            except ClientError as refusal:
                await problem_response(refusal, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)
