"""The routes of approval over a store and a workspace in memory."""

from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from types import SimpleNamespace

import httpx
from starlette.middleware import Middleware

from common.web.app import build_app
from orchestrator.routes import approvals, plans, rules, runs, sessions
from orchestrator.routes.dependencies import Services
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import RateLimits, UserLimits
from orchestrator.streaming.connections import ConnectionManager
from tests.orchestrator.routes.planning import planners
from tests.orchestrator.workspace import Files, SomeTools

ROUTERS = [room.router for room in (approvals, plans, rules, runs, sessions)]


@asynccontextmanager
async def served(store, files=None, catalogue=None, user_limits=None, call_timeout=5.0):
    """Yield a client of the routes; nobody executes what it starts."""
    access = Middleware(Access, api_keys={}, any_host=True, is_local=lambda _: True)
    app = build_app(
        title="t", source="orchestrator", max_body=100_000, routers=ROUTERS,
        lifespan=lambda _: nullcontext(), middleware=[access],
    )  # fmt: skip
    limits, manager = RateLimits(store.rate_limits, user_limits or UserLimits()), ConnectionManager(
        store
    )
    app.state.services = Services(
        store=store,
        planners=planners(),
        catalogue=catalogue or SomeTools(),
        connections=manager,
        limits=limits,
        upstream=SimpleNamespace(calls=files or Files()),
        approval="never",
        call_timeout=timedelta(seconds=call_timeout),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client
    await manager.aclose()


def url(run, what):
    """Return where a run's plan, or its approval, is."""
    return f"/v1/sessions/{run.session_id}/runs/{run.id}/{what}"


async def plan_of(http, run):
    """Return a run's plan, and its ETag."""
    answer = await http.get(url(run, "plan"))
    assert answer.status_code == 200, answer.text
    return answer.json(), answer.headers["ETag"]


async def answer(http, run, etag, decision="approve", **more):
    """Answer to a run's plan."""
    headers = {} if etag is None else {"If-Match": etag}
    return await http.post(
        url(run, "approval"), json={"decision": decision, **more}, headers=headers
    )


async def edit(http, run, etag, *calls):
    """Replace arguments in a run's plan."""
    headers = {} if etag is None else {"If-Match": etag}
    return await http.put(url(run, "plan"), json={"calls": list(calls)}, headers=headers)


def states(plan):
    """Return the states of a plan's calls, in order."""
    return [call["state"] for call in plan["calls"]]


def told(answer):
    """Return the status and the code of a refusal."""
    return answer.status_code, answer.json()["code"]
