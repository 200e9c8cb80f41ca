"""How much a user may ask for: refused with the time to wait, with and without the store."""

from contextlib import nullcontext
from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter, Depends
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse

from common.errors import ClientError
from common.web.app import build_app
from common.web.health import health_router
from orchestrator.routes.dependencies import Services, count_run, hold_stream
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import OwnBuckets, RateLimits, RequestLimit, UserLimits
from orchestrator.store.rate_limits import Rate

ZERO = timedelta(0)


async def _nothing():
    yield "first"


def serving(store, limits):
    """Return a client of an application whose users have these limits."""
    router = APIRouter()
    limits = RateLimits(store.rate_limits, limits)

    @router.get("/asked")
    async def ask() -> str:
        return "answer"

    @router.get("/run", dependencies=[Depends(count_run)])
    async def run() -> str:
        return "started"

    @router.get("/stream", dependencies=[Depends(hold_stream)])
    async def stream() -> StreamingResponse:
        return StreamingResponse(_nothing())

    async def ready():
        return {}

    app = build_app(
        title="t", source="orchestrator", max_body=1000, lifespan=lambda _: nullcontext(),
        routers=[router, health_router(ready)],
        middleware=[
            Middleware(Access, api_keys={}, any_host=True, is_local=lambda _: True),
            Middleware(RequestLimit, limits=lambda: limits),
        ],
    )  # fmt: skip
    app.state.services = Services(
        store, {}, None, None, limits, None, "never", timedelta(seconds=1)
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t")


async def statuses(http, path, times):
    """Return what so many requests are answered with."""
    return [(await http.get(path)).status_code for _ in range(times)]


async def refusal(http, path):
    """Ask until it is too much; return that answer."""
    while (answer := await http.get(path)).status_code == 200:
        pass
    return answer


async def test_request_too_many_is_answered_with_when_to_come_again(any_store):
    """A client can act on it: a code, and whole seconds that are enough."""
    async with serving(any_store, UserLimits(requests_per_second=1)) as http:
        assert await statuses(http, "/asked", 2) == [200, 200]
        refused = await refusal(http, "/asked")
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["retryable"]) == (
            429, "rate_limited", True,
        )  # fmt: skip
        assert problem["context"] == {"limit": 1}
        assert (refused.headers["Retry-After"], problem["outcome"]) == ("1", "not_executed")


async def test_request_of_a_probe_is_not_counted(store, redis):
    """It has no user, and must not depend on the store."""
    async with serving(store, UserLimits(requests_per_second=1)) as http:
        assert await statuses(http, "/health/live", 10) == [200] * 10
    assert await redis.keys("*") == []


async def test_request_costs_one_round_trip_at_most(store, monkeypatch):
    """And none where there is no limit."""
    scripts = []
    script = store.backend.script_on

    async def counted(*arguments, **options):
        scripts.append(arguments)
        return await script(*arguments, **options)

    monkeypatch.setattr(store.backend, "script_on", counted)
    async with serving(store, UserLimits(requests_per_second=10)) as http:
        await http.get("/asked")
    assert len(scripts) == 1
    async with serving(store, UserLimits()) as http:
        assert await statuses(http, "/asked", 3) == [200] * 3
    assert len(scripts) == 1


async def test_replicas_share_the_limit_of_a_user(any_store):
    """Whatever balances the load, two applications give no more than one."""
    limits = UserLimits(runs_per_minute=2)
    async with serving(any_store, limits) as one, serving(any_store, limits) as other:
        assert await statuses(one, "/run", 2) == [200, 200]
        assert await statuses(other, "/run", 1) == [429]


async def test_run_too_many_is_refused_and_reading_is_not(any_store):
    """Runs cost more than requests: they have a limit of their own."""
    async with serving(any_store, UserLimits(runs_per_minute=2)) as http:
        assert await statuses(http, "/run", 3) == [200, 200, 429]
        assert 1 <= int((await http.get("/run")).headers["Retry-After"]) <= 30
        assert await statuses(http, "/asked", 3) == [200] * 3


async def test_stream_that_has_ended_leaves_its_place(store):
    """The place is held until the answer has ended, and not only until it begins."""
    async with serving(store, UserLimits(streams=1)) as http:
        assert await statuses(http, "/stream", 5) == [200] * 5
        async with RateLimits(store.rate_limits, UserLimits(streams=1)).stream("local"):
            refused = await http.get("/stream")
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


async def test_limit_holds_for_one_process_while_the_store_is_away(away):
    """Neither is everybody refused, nor does everything get in."""
    async with serving(away, UserLimits(requests_per_second=1)) as http:
        assert (await refusal(http, "/asked")).json()["code"] == "rate_limited"
    async with serving(away, UserLimits(runs_per_minute=2)) as http:
        assert await statuses(http, "/run", 3) == [200, 200, 429]


async def test_bucket_of_a_process_fills_evenly():
    """As the store's do (lua/spend.lua), by its own clock."""
    now = 1000.0
    buckets, rate = OwnBuckets(lambda: now), Rate(2, timedelta(seconds=1), 3)
    assert [buckets.spend("ann", "r", rate) for _ in range(3)] == [ZERO] * 3
    wait = buckets.spend("ann", "r", rate)
    assert wait == timedelta(seconds=0.5)
    assert buckets.spend("bob", "r", rate) == ZERO
    now += wait.total_seconds()
    assert buckets.spend("ann", "r", rate) == ZERO
    assert buckets.spend("ann", "r", rate) > ZERO
    now += 1000
    assert [buckets.spend("ann", "r", rate) for _ in range(3)] == [ZERO] * 3
    assert buckets.spend("ann", "r", rate) > ZERO


async def test_limit_names_what_there_was_too_much_of(store):
    """The message is read by people."""
    limits = RateLimits(store.rate_limits, UserLimits(runs_per_minute=1))
    await limits.count_run("ann")
    with pytest.raises(ClientError, match="More than 1 runs per minute"):
        await limits.count_run("ann")
