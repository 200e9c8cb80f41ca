"""Messages to a run: each is there once, wakes what waits for it, and no crash loses the wake-up."""

from common.ids import new_id
from common.plans import Message
from common.runs import MessageCreate
from orchestrator.store import messages
from orchestrator.store.backend import StoreConfig
from orchestrator.store.messages import MessageStore
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Ending
from orchestrator.store.runs import RunStore
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    DONE,
    DyingQueue,
    ask,
    begun,
    code_of,
    document,
    event_types,
    send,
    server_time,
    turn,
    woken,
)

KEY = ("key", "digest")


async def inbox(store, lease):
    """Return what is in a run's inbox."""
    return await store.conversation.messages(lease)


async def test_message_to_a_running_run_waits_for_its_next_decision(any_store):
    """It steers: the run goes on, and the event tells all who follow."""
    lease = await begun(any_store)
    await woken(any_store)
    run = await send(any_store, lease, 'use "tabs" ✓')
    assert run.status == "running"
    assert await inbox(any_store, lease) == [Message(text='use "tabs" ✓', is_answer=False)]
    last = (await any_store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (last.type, last.data) == ("message.received", {"text": 'use "tabs" ✓'})
    assert await woken(any_store) == []


async def test_message_to_a_run_that_waits_for_it_lets_the_run_go_on(any_store):
    """A worker is woken, and finds the answer beside what was said before the question was seen."""
    lease = await begun(any_store)
    await send(any_store, lease, "before")
    await ask(any_store, lease)
    ids = lease.session.id, lease.run.id
    assert (await any_store.runs.get(*ids)).question == "which one?"
    await woken(any_store)
    answered = await send(any_store, lease, "the second")
    assert (answered.status, answered.question) == ("queued", None)
    assert await woken(any_store) == [lease.run.id]
    await send(any_store, lease, "and quickly")
    assert await woken(any_store) == []
    again = await any_store.leases.acquire(*ids, "another")
    assert await inbox(any_store, again) == [
        Message(text="before"),
        Message(text="the second", is_answer=True),
        Message(text="and quickly"),
    ]


async def test_message_with_the_same_key_is_one_message(any_store):
    """Whatever has become of the run since; with another body the key is refused."""
    lease = await begun(any_store)
    await ask(any_store, lease)
    await woken(any_store)
    for _ in range(2):
        assert (await send(any_store, lease, "yes", KEY)).status == "queued"
    again = await any_store.leases.acquire(lease.session.id, lease.run.id, "another")
    assert len(await inbox(any_store, again)) == 1
    assert await code_of(send(any_store, lease, "no", ("key", "other"))) == "idempotency_conflict"
    answered = [Message(text="yes", is_answer=True).model_dump()]
    second = turn(t=2, question="sure?", messages=answered)
    await any_store.progress.record_turn(again, second)
    await any_store.leases.park(again, "{}")
    await woken(any_store)
    assert (await send(any_store, lease, "yes", KEY)).status == "awaiting_input"
    assert await woken(any_store) == []
    await any_store.runs.cancel(lease.session.id, lease.run.id)
    assert (await send(any_store, lease, "yes", KEY)).status == "cancelled"
    assert (await event_types(any_store, lease.session.id)).count("message.received") == 1


async def test_message_whose_script_is_sent_twice_is_one_and_wakes_its_run(any_store, monkeypatch):
    """Without a key of its client as well: the first answer was lost, and the second one has to do."""
    lease = await begun(any_store)
    await ask(any_store, lease)
    await woken(any_store)
    script = any_store.backend.script

    async def resent(*arguments, **keywords):
        await script(*arguments, **keywords)
        return await script(*arguments, **keywords)

    monkeypatch.setattr(any_store.backend, "script", resent)
    await send(any_store, lease, "yes")
    assert await woken(any_store) == [lease.run.id]
    assert len(await inbox(any_store, lease)) == 1


async def test_messages_without_a_key_are_as_many_as_were_sent(any_store):
    """A person may say the same twice."""
    lease = await begun(any_store)
    for _ in range(2):
        await send(any_store, lease, "go on")
    assert len(await inbox(any_store, lease)) == 2


async def test_message_to_a_run_in_line_does_not_wake_it(any_store):
    """Another run of the session is ahead of it."""
    lease = await begun(any_store)
    following = document(lease.session.id)
    await any_store.runs.create(following, "enqueue")
    await woken(any_store)
    for _ in range(2):
        await any_store.messages.send(
            lease.session.id, following.id, "and tabs", KEY, user_id="ann"
        )
    assert await woken(any_store) == []
    await any_store.progress.finish(lease, DONE)
    taken = await any_store.leases.acquire(lease.session.id, following.id, "w")
    assert await inbox(any_store, taken) == [Message(text="and tabs")]


async def test_message_to_a_run_that_has_ended_is_refused(any_store, any_redis):
    """Nobody will read it; and what nobody has read goes with the run."""
    lease = await begun(any_store)
    await send(any_store, lease, "read me")
    await any_store.progress.finish(lease, Ending("failed", reason="x"))
    assert await code_of(send(any_store, lease, "too late")) == "invalid_state"
    assert await any_redis.keys("*:inbox") == []


async def test_message_to_a_run_that_is_not_there_is_refused(any_store, any_redis):
    """Nor does it bring back a part of a session that is gone."""
    lease = await begun(any_store)
    other = any_store.messages.send(lease.session.id, new_id("run"), "x", user_id="ann")
    assert await code_of(other) == "run_not_found"
    await any_redis.delete(any_store.backend.keys.session(lease.session.id))
    assert await code_of(send(any_store, lease, "x")) == "run_not_found"
    assert await any_redis.keys("*:inbox") + await any_redis.keys("*:session") == []


async def test_messages_that_a_run_has_not_read_are_bounded_and_its_answer_is_not(
    store, monkeypatch
):
    """They would fill the store; but without the answer the run would wait for ever."""
    monkeypatch.setattr(messages, "MAX_UNREAD", 2)
    lease = await begun(store)
    for text in ("a", "b"):
        await send(store, lease, text)
    assert await code_of(send(store, lease, "c")) == "queue_full"
    await ask(store, lease)
    assert (await send(store, lease, "the second")).status == "queued"
    assert await code_of(send(store, lease, "d")) == "queue_full"


async def test_messages_of_a_run_are_bounded_as_a_whole(store, monkeypatch):
    """Each leaves a mark: read or not, they add up."""
    monkeypatch.setattr(messages, "MAX_MESSAGES", 2)
    lease = await begun(store)
    for text in ("a", "b"):
        await send(store, lease, text)
    read = [message.model_dump() for message in await inbox(store, lease)]
    await store.progress.record_turn(lease, turn(feedback="x", messages=read))
    assert await code_of(send(store, lease, "c")) == "invalid_state"


async def test_longest_message_that_a_client_may_send_is_stored(any_store):
    """In the inbox and in the event, every character of it."""
    lease = await begun(any_store)
    text = MessageCreate(text="✓" * 20_000).text
    await send(any_store, lease, text)
    assert [message.text for message in await inbox(any_store, lease)] == [text]


async def test_answer_whose_sender_died_before_it_woke_a_worker_is_found_by_the_reaper(
    store, redis
):
    """The reaper is told before the state changes, and looks within a lease: no run waits for days."""
    lease = await begun(store)
    await ask(store, lease)
    await woken(store)
    member = RunRef.of(lease).member
    for index in ("test:running", "test:queued"):  # as the reaper does while it waits
        await redis.zrem(index, member)
    dying = DyingQueue(store.backend)
    sending = MessageStore(store.backend, dying, RunStore(store.backend, dying))
    ids = lease.session.id, lease.run.id
    assert (await sending.send(*ids, "yes", user_id="ann")).status == "queued"
    assert dying.seen == ["awaiting_input"]
    assert await woken(store) == []
    due = await redis.zscore("test:parked", member)
    assert due <= await server_time(redis) + store.backend.config.lease.total_seconds() * 1000
    await redis.zadd("test:parked", {member: 1})
    await store.reaper.reap()
    assert await woken(store) == [lease.run.id]


async def test_answered_run_waits_for_a_place_like_any_other(store, redis):
    """Its user's other runs may have taken all of them meanwhile: none is taken away, none is lost."""
    lease = await begun(store)
    await ask(store, lease)
    others = [await begun(store) for _ in range(store.backend.config.user_concurrency)]
    await woken(store)
    await send(store, lease, "yes")
    assert await woken(store) == []
    await store.progress.finish(others[0], DONE)
    assert await woken(store) == [lease.run.id]


async def test_inbox_of_a_run_that_waits_lives_as_long_as_its_session(any_store, any_redis):
    """The reaper keeps both; a deletion leaves nothing of it."""
    lease = await begun(any_store)
    await send(any_store, lease, "before")
    await ask(any_store, lease)
    key = any_store.backend.keys.inbox(lease.session.id, lease.run.id)
    keys = await any_redis.keys(f"test:{{{lease.session.id}}}:*")
    assert key in keys
    for name in keys:
        await any_redis.pexpire(name, 30_000)
    await any_redis.zadd("test:parked", {RunRef.of(lease).member: 1})
    await any_store.reaper.reap()
    left = {name: await any_redis.ttl(name) for name in keys}
    assert left[key] >= left[any_store.backend.keys.session(lease.session.id)] > 60


async def test_inbox_is_deleted_with_its_session(any_store, any_redis):
    """Also one that an interrupted deletion has left behind."""
    lease = await begun(any_store)
    await any_store.progress.finish(lease, DONE)
    key = any_store.backend.keys.inbox(lease.session.id, lease.run.id)
    await any_redis.rpush(key, "{}")
    await any_store.sessions.delete(lease.session.id, "ann")
    assert await any_redis.exists(key) == 0


async def test_full_store_refuses_messages_and_cancels_the_runs_that_wait_for_them(real_redis):
    """Nothing new is taken; what is there can always be ended, and gives its room back."""
    store = make_store(real_redis, "test", StoreConfig())
    lease = await begun(store)
    await store.conversation.reserve(lease, 100, 1.0)
    await send(store, lease, "before")
    await ask(store, lease)
    await real_redis.config_set("maxmemory", "1")
    assert await code_of(send(store, lease, "yes")) == "store_full"
    assert (await store.runs.cancel(lease.session.id, lease.run.id)).status == "cancelled"
    await real_redis.config_set("maxmemory", "0")
    assert await real_redis.keys("*:inbox") == []


async def test_answer_to_one_question_is_none_to_another(any_store):
    """Two people answer the first one: the second answer must not be taken for one to what is asked next."""
    lease = await begun(any_store)
    ids = lease.session.id, lease.run.id

    async def answered(text, revision, key=None):
        return await any_store.messages.send(*ids, text, key, user_id="ann", answers=revision)

    assert await code_of(answered("early", 1)) == "precondition_failed"
    await ask(any_store, lease)
    asked = (await any_store.runs.get(*ids)).revision
    await answered("yes", asked, KEY)
    again = await any_store.leases.acquire(*ids, "another")
    assert await code_of(answered("no", asked)) == "precondition_failed"
    await ask(any_store, again, t=2)
    assert await code_of(answered("no", asked)) == "precondition_failed"
    assert (await answered("yes", asked, KEY)).status == "awaiting_input"
    assert [message.text for message in await inbox(any_store, again)] == ["yes"]
