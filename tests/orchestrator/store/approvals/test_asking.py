"""A run asks a person: the review is there once, by its owner, and the run holds nothing while it waits."""

import asyncio
from datetime import timedelta

import pytest

from common.approvals.reviews import ApprovalAnswer
from common.errors import ToolError
from orchestrator.store.approvals.reviews import Said
from orchestrator.store.backend import StoreConfig
from orchestrator.store.fencing import Fenced
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    DONE,
    ask_approval,
    begun,
    call_of,
    document,
    event_types,
    expire_lease,
    receipt,
    review,
    server_time,
    step,
    taken_over,
    turn,
    woken,
)

PLACES = ("ready", "woken", "running")
"""What is kept of a user's runs that go on, or could."""
APPROVED = Said(
    1, ApprovalAnswer(decision="approve"), review("approved"), "approval.received", {"t": 1}
)


def ids_of(lease):
    """Return what names a run."""
    return lease.session.id, lease.run.id


async def test_run_that_asks_is_told_of_and_belongs_to_nobody(any_store):
    """No stray wake-up starts it, and its owner cannot write any more."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, "free", "asks", "denied", "asks")
    run = await any_store.runs.get(*ids_of(lease))
    assert (run.status, run.plan_revision) == ("awaiting_approval", 1)
    last = (await any_store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (last.type, last.data) == (
        "run.awaiting_approval", {"t": 1, "plan_revision": 1, "steps": [2, 4]}
    )  # fmt: skip
    assert await any_store.leases.acquire(*ids_of(lease), "stray") is None
    with pytest.raises(Fenced):
        await any_store.progress.record(lease, [(step(), call_of(step()))])


async def test_run_that_asks_does_so_once_however_often_it_says_so(any_store):
    """The answer to its owner was lost: no second event, no second revision for people to collide on."""
    lease = await begun(any_store)
    await any_store.progress.record_turn(lease, turn(step()))
    for _ in range(2):
        await any_store.leases.ask(lease, review("asks"), timedelta(hours=1))
    run = await any_store.runs.get(*ids_of(lease))
    assert run.plan_revision == 1
    assert (await event_types(any_store, lease.session.id)).count("run.awaiting_approval") == 1


async def test_run_is_not_asked_for_by_an_old_owner(any_store, any_redis):
    """A person would be shown what nobody will do."""
    old = await begun(any_store)
    await any_store.progress.record_turn(old, turn(step()))
    new = await taken_over(any_store, any_redis, old)
    with pytest.raises(Fenced):
        await any_store.leases.ask(old, review("asks"), None)
    assert (await any_store.reviews.get(*ids_of(old))).review is None
    await any_store.leases.ask(new, review("asks"), None)
    with pytest.raises(Fenced):
        await any_store.leases.ask(old, review("asks", "asks"), None)
    assert (await any_store.reviews.get(*ids_of(old))).review == review("asks")


async def test_run_that_cannot_store_what_it_asks_goes_on_with_its_lease(any_redis):
    """Its owner ends it, or does without: nothing is stored, and it may try again."""
    store = make_store(any_redis, "test", StoreConfig(max_run_output=1000))
    lease = await begun(store)
    await store.progress.record_turn(lease, turn(step()))
    with pytest.raises(ToolError) as caught:
        await store.leases.ask(lease, review(*["asks"] * 20), None)
    assert (caught.value.code, caught.value.context.limit) == ("output_too_large", 1000)
    waiting = await store.reviews.get(*ids_of(lease))
    assert (waiting.status, waiting.review, waiting.revision) == ("running", None, 0)
    await store.leases.ask(lease, review("asks"), None)
    assert (await store.runs.get(*ids_of(lease))).status == "awaiting_approval"


async def test_review_that_replaces_another_counts_by_what_it_is_longer(any_redis):
    """A run may be asked for again and again: its changes of mind are no outputs."""
    store = make_store(any_redis, "test", StoreConfig(max_run_output=700))
    lease = await begun(store)
    await store.progress.record_turn(lease, turn(step()))
    for _ in range(20):
        await store.leases.ask(lease, review("asks"), None)
        await any_redis.hset(store.backend.keys.run(*ids_of(lease)), "status", "queued")
        lease = await store.leases.acquire(*ids_of(lease), "another")
    assert (await store.runs.get(*ids_of(lease))).plan_revision == 20


async def test_run_that_was_to_be_cancelled_is_not_asked_for(any_store):
    """The cancel came while the turn was previewed: nobody is to answer for nothing."""
    lease = await begun(any_store)
    following = document(lease.session.id)
    await any_store.runs.create(following, "enqueue")
    await any_store.runs.cancel(*ids_of(lease))
    await woken(any_store)
    for _ in range(2):
        await any_store.leases.ask(lease, review("asks"), None)
        assert await woken(any_store) == [following.id]
    assert (await any_store.runs.get(*ids_of(lease))).status == "cancelled"
    assert (await event_types(any_store, lease.session.id)).count("run.cancelled") == 1


async def test_step_that_is_asked_for_again_waits_with_its_run(any_store):
    """It had begun, and was refused for what has changed since: nothing of it has happened."""
    lease = await begun(any_store)
    made = step(arguments={"path": "a"})
    await any_store.progress.record_turn(lease, turn(made))
    await any_store.progress.record(lease, [(made, call_of(made))])
    again = made.model_copy(update={"status": "pending"})
    await any_store.leases.ask(lease, review("asks"), None, again=(again, call_of(made)))
    [shown] = (await any_store.runs.get(*ids_of(lease))).steps
    assert (shown.status, shown.arguments) == ("pending", {"path": "a"})
    [kept] = (await any_store.reviews.get(*ids_of(lease))).steps
    assert kept.status == "pending"


async def test_step_is_kept_with_what_its_call_is_expected_to_find(any_store, any_redis):
    """Whoever takes the run over sends the call with the same; clients are not told."""
    lease = await begun(any_store)
    expected = [receipt("a", "0" * 64)]
    made = step(expected=expected)
    await any_store.progress.record_turn(lease, turn(made))
    await any_store.progress.record(lease, [(made, call_of(made))])
    [kept] = (await taken_over(any_store, any_redis, lease)).steps
    assert (kept.expected, kept.status) == (expected, "running")
    run = await any_store.runs.get(*ids_of(lease))
    assert "expected" not in run.model_dump()["steps"][0]
    [waiting] = (await any_store.reviews.get(*ids_of(lease))).steps
    assert "expected" not in waiting.model_dump()


async def test_events_do_not_tell_what_a_call_is_expected_to_find(any_store):
    """They carry no outputs either: it may be thousands of receipts."""
    lease = await begun(any_store)
    made = step(expected=[receipt("a", "0" * 64)])
    await any_store.progress.record_turn(lease, turn(made))
    await any_store.progress.record(lease, [(made, call_of(made))])
    done = made.model_copy(update={"status": "succeeded"})
    await any_store.progress.record(lease, [(done, call_of(made))])
    events = (await any_store.events.after(lease.session.id, 0, 100)).events
    told = [event.data for event in events if event.type.startswith("step.")]
    assert [sorted({"expected", "n"} & data.keys()) for data in told] == [["n"], ["n"]]


async def test_step_whose_expectations_are_too_much_is_refused(any_redis):
    """They are stored with it, and count like its output."""
    store = make_store(any_redis, "test", StoreConfig(max_run_output=2000))
    lease = await begun(store)
    await store.progress.record_turn(lease, turn(step()))
    expected = [receipt(f"{n}", "0" * 64) for n in range(100)]
    made = step(expected=expected)
    assert await store.progress.record(lease, [(made, call_of(made))]) == []
    refusal = store.progress.unfit(made, call_of(made))
    assert (refusal.code, refusal.context.actual > 2000) == ("output_too_large", True)
    assert (await store.runs.get(*ids_of(lease))).steps == []


async def test_review_lives_as_long_as_its_session_and_goes_with_it(any_store, any_redis):
    """The reaper keeps both while the run waits; a deletion leaves nothing of it."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    key = any_store.backend.keys.reviews(*ids_of(lease))
    keys = await any_redis.keys(f"test:{{{lease.session.id}}}:*")
    assert key in keys
    for name in keys:
        await any_redis.pexpire(name, 30_000)
    await any_redis.zadd("test:parked", {RunRef.of(lease).member: 1})
    await any_store.reaper.reap()
    left = {name: await any_redis.ttl(name) for name in keys}
    assert left[key] >= left[any_store.backend.keys.session(lease.session.id)] > 60
    await any_store.runs.cancel(*ids_of(lease))
    await any_store.sessions.delete(lease.session.id, "ann")
    assert await any_redis.exists(key) == 0


async def test_thousand_runs_that_wait_hold_nothing_and_go_on_when_they_are_answered(real_redis):
    """No place under a cap, no lease, no wake-up: another run of the same user starts at once."""
    store = make_store(real_redis, "test", StoreConfig())
    leases = []
    for _ in range(50):
        leases += await asyncio.gather(*(waiting_run(store) for _ in range(20)))
    past = await server_time(real_redis) - 60_000
    for index in ("test:running", "test:queued"):  # as after a minute
        members = await real_redis.zrange(index, 0, -1)
        await real_redis.zadd(index, dict.fromkeys(members, past))
    await woken(store)
    for _ in range(2):  # a look has an end, however many are due
        assert await store.reaper.find_silent() == []
        await store.reaper.reap()
    names = ("test:running", "test:queued", *(f"test:user:{{ann}}:{name}" for name in PLACES))
    assert {name: await real_redis.zcard(name) for name in names} == dict.fromkeys(names, 0)
    assert await real_redis.zcard("test:parked") == 1000
    assert await begun(store) is not None
    await woken(store)
    for lease in leases[::20]:
        await store.reviews.say(*ids_of(lease), APPROVED, user_id="ann")
        assert await store.queue.take(RunRef.of(lease))
        again = await store.leases.acquire(*ids_of(lease), "another")
        await store.progress.finish(again, DONE)


async def waiting_run(store):
    """Start a run that waits for a person; return the lease that it was under."""
    lease = await begun(store)
    await ask_approval(store, lease)
    return lease


async def test_lost_owner_that_had_begun_to_ask_is_taken_over(any_store, any_redis):
    """It told the reaper of the deadline, and died before it stored the review: the run asks again."""
    lease = await begun(any_store)
    await any_store.progress.record_turn(lease, turn(step()))
    await any_store.queue.look_soon([RunRef.of(lease)], await server_time(any_redis))
    await expire_lease(any_redis, lease)
    await woken(any_store)
    await any_redis.zadd("test:parked", {RunRef.of(lease).member: 1})
    await any_store.reaper.reap()
    assert await any_store.reaper.find_silent() == [RunRef.of(lease)]
    again = await any_store.leases.acquire(*ids_of(lease), "another")
    await any_store.leases.ask(again, review("asks"), None)
    assert (await any_store.runs.get(*ids_of(lease))).status == "awaiting_approval"
