"""A store that is away for three seconds: no run ends of it, and new ones start when it is back."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.chaos import stores
from tests.system.chaos.deployment import deployed
from tests.system.chaos.load import Place, effects
from tests.system.chaos.sessions import SessionLoad

AWAY = 3.0
SOON = timedelta(seconds=2)
RUNNING, NEW = Place(0), Place(1)


@pytest.mark.alone
async def test_runs_go_on_when_the_store_is_back_and_new_ones_start_within_two_seconds(tmp_path):
    """An outage as short as a restart ended runs as failed, and the worker for good."""
    with stores.one_server(tmp_path) as store:
        async with deployed(tmp_path, store.url, replicas=1) as deployment:
            urls, workspaces = deployment.urls, deployment.workspaces
            running, new = (
                SessionLoad(place, urls, workspaces, 1, [0]) for place in (RUNNING, NEW)
            )
            await asyncio.gather(running.open(), new.open())
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(running.live(0.0))
                while not any(deployment.workspaces.rglob("log")):
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(store.kill)
                await asyncio.sleep(AWAY)
                group.create_task(new.live(0.0))
                await asyncio.to_thread(store.start)
                back = datetime.now(UTC)
            started = datetime.fromisoformat(new.runs[0]["started_at"])
            endings = [session.runs[0]["status"] for session in (running, new)]
    assert endings == ["succeeded", "succeeded"]
    assert not effects(deployment.workspaces, {RUNNING: [0], NEW: [0]})
    assert started - back < SOON
