"""Who waits for a run's end hears of it at once, and whatever happens to the notification."""

import asyncio
import time

import pytest

from common.errors import ClientError
from common.ids import new_id
from orchestrator.store.backend import StoreUnavailable
from orchestrator.streaming import settling as settling_module
from orchestrator.streaming.notifications import relay
from orchestrator.streaming.settling import Settling
from tests.orchestrator.builders import DONE, ask, ask_approval, begun


@pytest.fixture
async def settling(store, monkeypatch):
    """Tells of runs by notifications alone: it looks by itself only after a minute."""
    monkeypatch.setattr(settling_module, "POLL", 60.0)
    waiting = Settling(store)
    passing_on = relay(store.events, lambda _: None, lambda _: None, waiting.tell)
    listening = asyncio.create_task(passing_on)
    await asyncio.sleep(0.05)
    yield waiting
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def end(store, lease):
    """End a run."""
    await store.progress.finish(lease, DONE)


@pytest.mark.parametrize(
    ("settle", "status"),
    [(end, "succeeded"), (ask, "awaiting_input"), (ask_approval, "awaiting_approval")],
)
async def test_run_is_told_of_as_soon_as_it_has_settled(store, settling, settle, status):
    """Ended, or waiting for a person: nobody reads its events for that."""
    lease = await begun(store)
    waiting = asyncio.create_task(settling.within(30, lease.session.id, lease.run.id))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await settle(store, lease)
    run = await waiting
    assert (run.status, time.monotonic() - started < 5) == (status, True)


async def test_run_that_has_settled_before_is_told_of_at_once(store, settling):
    """It may end between its start and the first look."""
    lease = await begun(store)
    await end(store, lease)
    assert (await settling.within(30, lease.session.id, lease.run.id)).status == "succeeded"


async def test_run_that_is_gone_is_not_waited_for(store, settling):
    """Its session was deleted, or has expired."""
    lease = await begun(store)
    async with asyncio.timeout(10):
        with pytest.raises(ClientError) as gone:
            await settling.within(30, lease.session.id, new_id("run"))
    assert gone.value.code == "run_not_found"


async def test_run_whose_notification_is_lost_is_found_by_looking(store, monkeypatch):
    """Redis may drop a subscription, and an older worker sends none."""
    monkeypatch.setattr(settling_module, "POLL", 0.02)
    lease = await begun(store)
    waiting = asyncio.create_task(Settling(store).within(30, lease.session.id, lease.run.id))
    await asyncio.sleep(0.05)
    await end(store, lease)
    assert (await waiting).status == "succeeded"


async def test_nobody_waits_longer_than_was_asked_for_or_than_the_process_lives(store, settling):
    """And nothing is kept of it."""
    lease = await begun(store)
    ids = lease.session.id, lease.run.id
    assert await settling.within(0.05, *ids) is None
    waiting = asyncio.create_task(settling.within(30, *ids))
    await asyncio.sleep(0.05)
    settling.close()
    assert await waiting is None
    assert settling._waiting == {}


async def test_store_that_goes_away_while_a_run_is_waited_for_is_waited_for_too(store, monkeypatch):
    """It was there when the wait began; from the first it is an error."""
    monkeypatch.setattr(settling_module, "POLL", 0.02)
    lease, looks = await begun(store), []
    status = store.runs.status

    async def away_once(*ids):
        looks.append(ids)
        if len(looks) == 2:
            await end(store, lease)
            raise StoreUnavailable("unavailable", "the store is away")
        return await status(*ids)

    monkeypatch.setattr(store.runs, "status", away_once)
    run = await Settling(store).within(30, lease.session.id, lease.run.id)
    assert (run.status, len(looks)) == ("succeeded", 3)
