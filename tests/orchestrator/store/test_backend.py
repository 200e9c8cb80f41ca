"""What every part of the store relies on: scripts that act once, a Redis that may be away."""

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from common.errors import SystemFault
from orchestrator.store.backend import StoreConfig
from orchestrator.store.store import make_store
from tests.orchestrator.builders import DONE, call_of, document, event_types, step, turn


async def test_script_that_is_sent_twice_acts_once(store, session):
    """A client library may resend after a stall."""
    opened = await session()
    run = document(opened.id)
    for _ in range(2):
        await store.runs.create(run, "reject")
    first, second = [await store.leases.acquire(opened.id, run.id, "same") for _ in range(2)]
    assert first.fence == second.fence
    a, b = step(1), step(2)
    for _ in range(2):
        await store.progress.record_turn(first, turn(a, b))
    for _ in range(2):
        await store.progress.start_step(first, a, call_of(a))
    await store.progress.start_step(first, b, call_of(b))  # beside it
    await store.progress.start_step(first, a, call_of(a))
    ended = a.model_copy(update={"status": "succeeded"})
    for _ in range(2):
        await store.progress.commit_step(first, ended, call_of(a))
    for _ in range(2):
        await store.progress.finish(first, DONE)
    assert await event_types(store, opened.id) == [
        "session.created", "run.queued", "run.started", "turn.decided", "step.started",
        "step.started", "step.succeeded", "run.succeeded",
    ]  # fmt: skip


async def test_backend_without_its_redis_is_unavailable():
    """Retryable, and nothing was done."""
    server = FakeServer()
    store = make_store(FakeAsyncRedis(server=server, decode_responses=True), "test", StoreConfig())
    server.connected = False
    with pytest.raises(SystemFault) as caught:
        await store.ping()
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
