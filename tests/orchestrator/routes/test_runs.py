"""Starting a run over HTTP: whether the answer waits for its end."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta

import httpx
import pytest
from starlette.middleware import Middleware

from common.errors import SystemFault
from common.web.app import build_app
from orchestrator.routes import runs
from orchestrator.routes.dependencies import Services
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import RateLimits, UserLimits
from orchestrator.streaming.connections import ConnectionManager
from tests.orchestrator.builders import DONE
from tests.orchestrator.fakes import TOOLS, until
from tests.orchestrator.routes.planning import planners


class NoTools:
    """A catalogue that nobody answers for."""

    async def tools(self):
        """Say so."""
        raise SystemFault("unavailable", "The execution environment cannot be reached")


class SomeTools:
    """A catalogue that knows a few tools."""

    async def tools(self):
        """Return them."""
        return TOOLS


@asynccontextmanager
async def served(store, *models, catalogue=None, approval="never"):
    """Yield a client of the routes over the store; nobody executes what it starts."""
    access = Middleware(Access, api_keys={}, any_host=True, is_local=lambda _: True)
    app = build_app(
        title="t", source="orchestrator", max_body=1000, routers=[runs.router],
        lifespan=lambda _: nullcontext(), middleware=[access],
    )  # fmt: skip
    limits = RateLimits(store.rate_limits, UserLimits())
    known, manager = planners(*models), ConnectionManager(store)
    app.state.services = Services(
        store, known, catalogue or NoTools(), manager, limits, None, approval, timedelta(seconds=5)
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client
    await manager.aclose()


@pytest.fixture
async def http(store):
    """A client of a deployment without a model."""
    async with served(store) as client:
        yield client


async def start(http, session, prefer, **headers):
    """Start a run; return the answer."""
    url = f"/v1/sessions/{session.id}/runs"
    return await http.post(url, json={"goal": "list"}, headers={"Prefer": prefer, **headers})


async def test_run_that_ends_within_prefer_wait_is_answered_with_200(http, store, session):
    """One request is enough for a short run: its result is in the answer."""
    opened = await session("local")
    starting = asyncio.create_task(start(http, opened, "wait=60"))

    async def is_active():
        return (await store.sessions.get(opened.id, "local")).active_run is not None

    await until(is_active)
    assert not starting.done()
    run_id = (await store.sessions.get(opened.id, "local")).active_run
    lease = await store.leases.acquire(opened.id, run_id, "worker")
    await store.progress.finish(lease, DONE)
    answer = await asyncio.wait_for(starting, 20)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.json()["result"]["answer"] == "ok"
    assert answer.headers["Location"] == f"/v1/sessions/{opened.id}/runs/{run_id}"


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1", "respond-async"])
async def test_run_that_does_not_end_within_prefer_wait_is_answered_with_202(http, session, prefer):
    """The client is told where to ask, as without the preference; the run goes on."""
    opened = await session("local")
    answer = await start(http, opened, prefer)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Location"].endswith(answer.json()["id"])


async def test_run_that_needs_no_tools_to_be_checked_starts_without_the_execution_environment(
    http, session
):
    """Its calls wait for that; a plan is checked against the tools, which nobody can tell."""
    opened = await session("local")
    assert (await start(http, opened, "respond-async")).status_code == 202
    plan = {"plan": {"steps": [{"name": "a", "tool": "t"}]}}
    answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=plan)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("status", ["succeeded", "awaiting_input"])
async def test_prefer_wait_is_decided_by_the_runs_state(http, store, session, redis, status):
    """No event tells: it was lost with a failed server, or came before this request."""
    opened = await session("local")
    once = {"Idempotency-Key": "k"}
    run_id = (await start(http, opened, "wait=0", **once)).json()["id"]
    await redis.hset(f"test:{{{opened.id}}}:run:{run_id}", "status", status)
    answer = await asyncio.wait_for(start(http, opened, "wait=60", **once), 20)
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert answer.json()["id"] == run_id


async def test_prefer_wait_listens_to_no_text(http, store, session):
    """What a planner says decides nothing, and each such request would subscribe to it."""
    opened = await session("local")
    starting = asyncio.create_task(start(http, opened, "wait=60"))

    async def is_active():
        return (await store.sessions.get(opened.id, "local")).active_run is not None

    await until(is_active)
    channel = store.backend.keys.text_channel(opened.id)
    run_id = (await store.sessions.get(opened.id, "local")).active_run
    lease = await store.leases.acquire(opened.id, run_id, "worker")
    assert await store.backend.redis.pubsub_numsub(channel) == [(channel, 0)]
    await store.progress.finish(lease, DONE)
    assert (await asyncio.wait_for(starting, 20)).status_code == 200
    assert await store.backend.redis.pubsub_channels() == []


GOAL, PLAN = {"goal": "list"}, {"plan": {"steps": [{"name": "a", "tool": "t"}]}}


@pytest.mark.parametrize(
    ("models", "body", "planner"),
    [((), GOAL, "rules"), (("openai:m",), GOAL, "llm"), (("openai:m",), {**GOAL, "planner": "rules"}, "rules")],
    ids=["no model", "a model", "named"],
)  # fmt: skip
async def test_run_that_names_no_planner_gets_the_model_where_there_is_one(
    store, session, models, body, planner
):
    """Else the rules; what is named is what is taken."""
    opened = await session("local")
    async with served(store, *models) as http:
        answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=body)
    assert (answer.status_code, answer.json()["planner"]) == (202, planner)


async def test_run_with_a_plan_is_the_plan_planners_with_a_model_too(store, session):
    """Its check asks for the tools, which only that planner does here."""
    opened = await session("local")
    async with served(store, "openai:m") as http:
        answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=PLAN)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


WISHES = {
    "model": "openai:other",
    "instructions": "Be brief",
    "tools": ["read_file"],
    "output_schema": {"type": "object"},
}


async def test_run_that_names_tools_waits_until_somebody_can_tell_them(store, session):
    """A tool that is not there would show only when the model has been paid."""
    opened = await session("local")
    async with served(store, "openai:m") as http:
        asked = {**GOAL, "tools": ["read_file"]}
        answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=asked)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=GOAL)
        assert answer.status_code == 202


async def test_run_keeps_what_it_asks_of_a_model(store, session):
    """The worker that takes it reads it from the run."""
    opened = await session("local")
    async with served(store, "openai:m", "openai:other", catalogue=SomeTools()) as http:
        answer = await http.post(f"/v1/sessions/{opened.id}/runs", json={**GOAL, **WISHES})
    assert answer.status_code == 202
    lease = await store.leases.acquire(opened.id, answer.json()["id"], "w")
    assert {name: getattr(lease.run, name) for name in WISHES} == WISHES


@pytest.mark.parametrize("wish", WISHES)
async def test_run_that_asks_of_a_model_what_its_planner_cannot_do_is_refused(http, session, wish):
    """In silence it would be passed over; the error names the field."""
    opened = await session("local")
    body = {**GOAL, wish: WISHES[wish]}
    answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [field["field"] for field in answer.json()["context"]["fields"]] == [wish]
    assert (await http.get(f"/v1/sessions/{opened.id}/runs")).json()["items"] == []


async def test_run_of_the_model_is_refused_where_there_is_none(http, session):
    """The reason is said, as GET /v1/planners says it."""
    opened = await session("local")
    body = {**GOAL, "planner": "llm"}
    answer = await http.post(f"/v1/sessions/{opened.id}/runs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "no model is configured" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "approval", "access"),
    [
        ({}, "writes", "read_write"),
        ({"approval": "never"}, "never", "read_write"),
        ({"approval": "always", "access": "read_only"}, "always", "read_only"),
    ],
    ids=["as the deployment has it", "never", "both"],
)
async def test_run_keeps_what_asks_a_person_and_what_it_may_do(
    store, session, asked, approval, access
):
    """The worker that takes it reads it from the run; so does whoever looks at it."""
    opened = await session("local")
    async with served(store, approval="writes") as http:
        answer = await http.post(f"/v1/sessions/{opened.id}/runs", json={**GOAL, **asked})
    shown = answer.json()
    assert (shown["approval"], shown["access"]) == (approval, access)
    lease = await store.leases.acquire(opened.id, shown["id"], "w")
    assert (lease.run.approval, lease.run.access) == (approval, access)


async def test_run_is_the_same_request_whatever_the_deployments_policy_is(store, session):
    """A key stands for what the client has sent: a deployment may change its mind between two attempts."""
    opened, once = await session("local"), {"Idempotency-Key": "k"}
    answers = []
    for approval in ("never", "writes"):
        async with served(store, approval=approval) as http:
            url = f"/v1/sessions/{opened.id}/runs"
            answers.append(await http.post(url, json=GOAL, headers=once))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[1].json()["approval"] == "never"
