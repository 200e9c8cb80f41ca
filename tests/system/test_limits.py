"""Limits of a user over real processes: two orchestrators on one store count together."""

import asyncio
import hashlib

import httpx
import pytest

from orchestrator.store.server.embedded import embedded_server
from tests.orchestrator.fakes import until
from tests.system.services import execution_environment, orchestrator

HEADERS = {"Authorization": "Bearer key-of-ann"}
LIMITS = {
    "ORCHESTRATOR_API_KEYS": f"{hashlib.sha256(b'key-of-ann').hexdigest()}:ann",
    "ORCHESTRATOR_MAX_STREAMS": "1",
    "ORCHESTRATOR_REQUEST_RATE": "5",
}


@pytest.fixture
async def url(tmp_path):
    """The URL of a server for both."""
    async with embedded_server(tmp_path / "redis") as server:
        yield server.url


@pytest.fixture
async def replicas(tmp_path, url):
    """Clients of two orchestrators on one Redis; nobody executes what they start."""
    execution = execution_environment(tmp_path)
    made = [
        orchestrator(tmp_path / name, execution, ORCHESTRATOR_REDIS_URL=url, **LIMITS)
        for name in ("one", "two")
    ]
    try:
        for service in made:
            service.start()
        async with (
            httpx.AsyncClient(base_url=made[0].url, headers=HEADERS, trust_env=False) as one,
            httpx.AsyncClient(base_url=made[1].url, headers=HEADERS, trust_env=False) as two,
        ):
            yield one, two
    finally:
        for service in made:
            service.stop()


async def test_client_that_waits_as_it_is_told_is_served(replicas):
    """Two replicas give no more than one, and the time that they name is enough."""
    answers = [await replicas[n % 2].get("/v1/planners") for n in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert refused[0].json()["code"] == "rate_limited"
    await asyncio.sleep(int(refused[-1].headers["Retry-After"]))
    assert (await replicas[0].get("/v1/planners")).status_code == 200


async def test_stream_that_its_client_left_frees_its_place_on_every_replica(replicas):
    """Whoever reloads a page must not have to wait until the old stream lapses."""
    one, two = replicas
    session = (await one.post("/v1/sessions", json={})).json()["id"]
    path = f"/v1/sessions/{session}/events"
    async with one.stream("GET", path) as stream:
        assert stream.status_code == 200
        refused = await two.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["Retry-After"]) <= 30

    async def is_free():
        async with two.stream("GET", path) as again:
            return again.status_code == 200

    await until(is_free, 10)
