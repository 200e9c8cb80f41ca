"""Runs in the store: started once, one at a time, listed, cancelled."""

import threading
from datetime import timedelta

import pytest

from common.ids import new_id
from common.plans import Plan
from orchestrator.store import runs
from orchestrator.store.backend import StoreConfig
from orchestrator.store.encoding.run_records import read_run
from orchestrator.store.records import SMALL, Ending
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    DONE,
    ask,
    ask_approval,
    begun,
    code_of,
    document,
    ending_fields,
    event_types,
    step,
    turn,
    woken,
)

SECOND = timedelta(seconds=1)


async def test_runs_of_a_session_are_active_one_at_a_time(store, session):
    """A second one is refused, or waits in line and is woken."""
    opened = await session()
    first, second, third = (document(opened.id) for _ in range(3))
    await store.runs.create(first, "reject")
    assert await code_of(store.runs.create(document(opened.id), "reject")) == "session_busy"
    await store.runs.create(second, "enqueue")
    await store.runs.create(third, "enqueue")
    assert await store.leases.acquire(opened.id, second.id, "w") is None
    await store.runs.cancel(opened.id, second.id)
    lease = await store.leases.acquire(opened.id, first.id, "w")
    await store.progress.finish(lease, DONE)
    assert (await store.sessions.get(opened.id, "ann")).active_run == third.id
    woken = {(await store.queue.next("w", SECOND)).run_id for _ in range(2)}
    assert woken == {first.id, third.id}


async def test_runs_in_line_are_bounded(redis):
    """Otherwise one client could fill the store."""
    store = make_store(redis, "test", StoreConfig(max_waiting=1))
    opened = await store.sessions.create("ann", None, {}, None)
    await store.runs.create(document(opened.id), "enqueue")
    await store.runs.create(document(opened.id), "enqueue")
    assert await code_of(store.runs.create(document(opened.id), "enqueue")) == "queue_full"


async def test_run_is_started_once_for_one_key(store, session):
    """Also while the first one is still active."""
    opened = await session()
    run = document(opened.id)
    assert await store.runs.create(run, "reject", ("key", "digest")) == run.id
    again = document(opened.id)
    assert await store.runs.create(again, "reject", ("key", "digest")) == run.id
    other = store.runs.create(document(opened.id), "reject", ("key", "other"))
    assert await code_of(other) == "idempotency_conflict"
    assert await code_of(store.runs.get(opened.id, again.id)) == "run_not_found"


async def test_runs_are_listed_newest_first(store, session):
    """By id, which sorts by time."""
    opened = await session()
    for _ in range(3):
        run = document(opened.id)
        await store.runs.create(run, "reject")
        await store.runs.cancel(opened.id, run.id)
    first = await store.runs.list(opened.id, 2, None)
    second = await store.runs.list(opened.id, 2, first.next_cursor)
    assert (len(first.items), len(second.items), second.next_cursor) == (2, 1, None)
    assert {item.status for item in first.items} == {"cancelled"}


async def test_run_that_is_cancelled_stays_as_it_ended(store, leased, session):
    """The flag is the truth; an ended run stays as it is."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    assert (await store.runs.cancel(*ids)).status == "running"
    assert await store.leases.renew(lease) is True
    await store.progress.finish(lease, Ending("cancelled", reason="asked"))
    assert (await store.runs.cancel(*ids)).status == "cancelled"
    assert await code_of(store.runs.cancel(ids[0], new_id("run"))) == "run_not_found"
    assert (await event_types(store, ids[0])).count("run.cancelled") == 1


async def test_run_that_waits_for_a_person_is_cancelled_at_once(store, leased):
    """No worker is needed for that, and the next one in line starts."""
    lease = await leased()
    ids, following = (lease.session.id, lease.run.id), document(lease.session.id)
    await store.runs.create(following, "enqueue")
    await ask_approval(store, lease)
    await woken(store)
    assert (await store.runs.cancel(*ids)).status == "cancelled"
    assert await woken(store) == [following.id]


async def test_run_that_is_found_over_by_a_cancel_lets_the_next_one_start(store, leased):
    """Its worker ended it, and died before it woke that."""
    lease = await leased()
    ids, following = (lease.session.id, lease.run.id), document(lease.session.id)
    await store.runs.create(following, "enqueue")
    await store.backend.script("finish", *ids, lease.fence, "finish", *ending_fields())
    await woken(store)
    assert (await store.runs.cancel(*ids)).status == "failed"
    assert await woken(store) == [following.id]


async def test_run_that_is_over_stands_in_no_index(store, session, redis):
    """Cancelled in line, refused, or finished: nobody has to look at it any more."""
    opened = await session()
    first, second = document(opened.id), document(opened.id)
    await store.runs.create(first, "reject")
    await store.runs.create(second, "enqueue")
    await code_of(store.runs.create(document(opened.id), "reject"))
    await store.runs.cancel(opened.id, second.id)
    lease = await store.leases.acquire(opened.id, first.id, "w")
    await store.progress.finish(lease, DONE)
    indexes = [await redis.exists(f"test:{name}") for name in ("running", "queued", "parked")]
    assert indexes == [0, 0, 0]
    assert await redis.keys("test:user:{ann}:[rw]*") == []


async def test_listed_runs_have_no_plan_and_no_steps_and_are_not_fetched_with_them(store, session):
    """A list of five runs was 18 MB."""
    opened = await session()
    plan = Plan.model_validate({"steps": [{"name": "a", "tool": "t"}]})
    run = document(opened.id, goal=None, plan=plan)
    await store.runs.create(run, "reject")
    key = store.backend.keys.run(opened.id, run.id)
    await store.backend.redis.hset(key, "plan", "never looked at")
    [listed] = (await store.runs.list(opened.id, 10, None)).items
    assert (listed.id, listed.plan, listed.steps) == (run.id, None, [])


async def test_run_shows_what_it_keeps_to_and_what_it_has_used(store):
    """Read alone and in a list; the workspace's instructions are kept in its first turn, for both turns."""
    lease = await begun(store, model="openai:small", instructions="Be brief.")
    ids = lease.session.id, lease.run.id
    made, usage = step(status="succeeded"), {"output_tokens": 5, "cost": 0.5}
    first = turn(made, usage=usage, workspace_instructions="Use tabs.")
    await store.progress.record_turn(lease, first)
    await store.progress.record(lease, [(made, first.calls[0])])
    await ask(store, lease, t=2)
    run = await store.runs.get(*ids)
    [listed] = (await store.runs.list(ids[0], 10, None)).items
    assert (run.workspace_instructions, run.question) == ("Use tabs.", "which one?")
    for shown in (run, listed):
        assert (shown.model, shown.instructions) == ("openai:small", "Be brief.")
        assert (shown.usage.steps, shown.usage.output_tokens, shown.usage.cost) == (1, 5, 0.5)


async def test_run_that_expires_while_runs_are_listed_is_left_out(store, session, redis):
    """Its session is about to follow."""
    opened = await session()
    run = document(opened.id)
    await store.runs.create(run, "reject")
    await redis.delete(store.backend.keys.run(opened.id, run.id))
    assert (await store.runs.list(opened.id, 10, None)).items == []


@pytest.mark.parametrize(("size", "is_here"), [(10, True), (SMALL, False)])
async def test_large_runs_are_read_off_the_event_loop(store, session, monkeypatch, size, is_here):
    """A run may have 16 MiB of outputs: leases are renewed on the loop."""
    opened = await session()
    run = document(opened.id, goal="x" * size)
    await store.runs.create(run, "reject")
    threads = []

    def noted(*stored):
        threads.append(threading.current_thread() is threading.main_thread())
        return read_run(*stored)

    monkeypatch.setattr(runs, "read_run", noted)
    assert (await store.runs.get(opened.id, run.id)).goal == run.goal
    assert [item.goal for item in (await store.runs.list(opened.id, 5, None)).items] == [run.goal]
    assert threads == [is_here, is_here]


async def test_run_tells_of_one_step_what_it_keeps_by_itself(any_store):
    """Who follows a long run reads no other step for it; what its turn says of it is not kept twice."""
    lease = await begun(any_store)
    ids, planned = (lease.session.id, lease.run.id), turn(step(1), step(2))
    await any_store.progress.record_turn(lease, planned)
    for n, arguments in ((1, {}), (2, {"path": "resolved"})):
        made = step(n, arguments=arguments, status="succeeded", output={"lines": n})
        await any_store.progress.record(lease, [(made, planned.calls[n - 1])])
        kept = await any_store.runs.kept_of_step(*ids, n)
        assert (kept.get("arguments", {}), kept["output"]) == (arguments, {"lines": n})
    assert "arguments" not in await any_store.runs.kept_of_step(*ids, 1)
    assert await any_store.runs.kept_of_step(*ids, 3) == {}


async def test_run_tells_what_is_being_said(any_store):
    """Until it is a turn."""
    lease = await begun(any_store)
    ids = lease.session.id, lease.run.id
    assert await any_store.runs.text(*ids) is None
    await any_store.conversation.append_text(lease, 1, 0, "Grüß")
    await any_store.conversation.append_text(lease, 1, 6, " Gott")
    assert await any_store.runs.text(*ids) == "Grüß Gott"
