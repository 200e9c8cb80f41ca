"""AG-UI's door over a store in memory; nobody executes what it starts but the tests."""

from datetime import timedelta

import pytest

from common.context import RequestSource
from orchestrator.agui.door import Door
from orchestrator.agui.inputs import RunInput
from orchestrator.agui.stream import told
from orchestrator.agui.translation import Translation
from orchestrator.routes.dependencies import Services
from orchestrator.security.rate_limits import RateLimits, UserLimits
from orchestrator.starting import Origin
from orchestrator.streaming.connections import ConnectionManager
from tests.orchestrator.agui.protocol import read, verified
from tests.orchestrator.routes.planning import planners
from tests.orchestrator.workspace import SomeTools

RUNS = 4
ORIGIN = Origin("req_1", RequestSource(kind="rest"))


@pytest.fixture
async def services(store):
    """The parts of the service that AG-UI needs; a user may ask for RUNS runs a minute."""
    manager = ConnectionManager(store)
    limits = RateLimits(store.rate_limits, UserLimits(runs_per_minute=RUNS))
    wait = timedelta(seconds=5)
    yield Services(store, planners("a:model"), SomeTools(), manager, limits, None, "never", wait)
    await manager.aclose()


@pytest.fixture
def enter(services):
    """Let a request in; return its session, and the place where its events begin."""

    async def entered(body, user="ann", workspace="demo"):
        door = Door(services, user, workspace, ORIGIN)
        return await door.enter(RunInput.model_validate(body))

    return entered


@pytest.fixture
def batches(services, enter):
    """Return the generator of what a request is answered with."""

    async def begun(body, user="ann"):
        session, place = await enter(body, user)
        run = await services.store.runs.get(session.id, place.run_id)
        translation = Translation(services.store, session, run, RunInput.model_validate(body))
        return told(services.connections, place, translation, "req_1")

    return begun


@pytest.fixture
def stream(batches):
    """Return all events that a request is answered with, checked."""

    async def streamed(body, user="ann"):
        answer = [one.sse async for batch in await batches(body, user) for one in batch]
        return verified(read(b"".join(answer).decode()))

    return streamed


@pytest.fixture
def taken(services, enter):
    """Start the run of a request, and take it as a worker does; return the lease."""

    async def lease(body):
        session, place = await enter(body)
        return await services.store.leases.acquire(session.id, place.run_id, "w")

    return lease
