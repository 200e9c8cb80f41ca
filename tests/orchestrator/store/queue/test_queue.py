"""The queue: what others do meanwhile must lose no run."""

import pytest

from orchestrator.store.queue.refs import RunRef
from tests.orchestrator.builders import DONE, document, woken


async def in_line(store, lease):
    """Put a run in line behind a leased one, still noted as queued; return both."""
    first = RunRef.of(lease)
    second = first.sibling(document(lease.session.id).id)
    await store.runs.create(document(lease.session.id, id=second.run_id), "enqueue")
    await store.queue.announce(second)
    return first, second


async def finish_before(store, monkeypatch, lease, script, is_checked):
    """Let a run end just before that script of another caller; without its check, if so asked."""
    run = store.backend.script_on

    async def ended_before(name, keys, member, *more):
        if name == script:
            monkeypatch.undo()
            await store.progress.finish(lease, DONE)
            if not is_checked:
                await store.backend.redis.zrem(*keys, member)
        return await run(name, keys, member, *more)

    monkeypatch.setattr(store.backend, "script_on", ended_before)


@pytest.mark.parametrize("is_checked", [True, False])
async def test_queue_keeps_a_run_whose_turn_comes_while_the_reaper_looks(
    store, leased, redis, monkeypatch, is_checked
):
    """The reaper has read that it stands in line. Without the check it takes away the new note."""
    lease = await leased()
    _, second = await in_line(store, lease)
    await finish_before(store, monkeypatch, lease, "drop_entry", is_checked)
    await store.reaper.reap()
    assert await redis.zrange("test:queued", 0, -1) == [second.member] * is_checked


async def test_queue_wakes_the_next_in_line_when_an_ending_comes_again(store, leased, monkeypatch):
    """The first time it was stored, and the store was away before the next run was woken."""
    lease = await leased()
    _, second = await in_line(store, lease)
    await woken(store)

    async def lost(*_):
        raise ConnectionError

    monkeypatch.setattr(store.queue, "hand_over", lost)
    with pytest.raises(ConnectionError):
        await store.progress.finish(lease, DONE)
    monkeypatch.undo()
    assert await woken(store) == []
    await store.progress.finish(lease, DONE)
    assert await woken(store) == [second.run_id]


async def test_queue_gives_no_wake_up_of_format_2_to_a_worker(store, redis):
    """It names no user; the run is found in the old index."""
    await redis.xadd("test:queue", {"session": "ses_old", "run": "run_old"})
    await redis.expire("test:queue", 60)
    assert await woken(store) == []
