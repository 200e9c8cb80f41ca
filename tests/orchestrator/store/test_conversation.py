"""What an owner needs while a model decides: messages, money, and text that others see at once."""

import json
from contextlib import asynccontextmanager

from common.plans import Message, Usage
from orchestrator.store.records import Ending, Spent
from tests.orchestrator.builders import begun, send, taken_over, turn


@asynccontextmanager
async def followed(redis, store, lease):
    """Yield a function that returns what was published of the session's text since it was last asked."""
    channel = store.backend.keys.text_channel(lease.session.id)
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(channel)

        async def heard():
            await redis.publish(channel, "end")
            found = []
            while (message := await pubsub.get_message(timeout=5)) is not None:
                if message["data"] == "end":
                    break
                if message["type"] == "message":
                    found.append(json.loads(message["data"]))
            return found

        yield heard


async def twice(store, monkeypatch, pending):
    """Have the one script of a call sent twice, as a client library does after a stall."""
    script = store.backend.script

    async def resent(*arguments, **keywords):
        await script(*arguments, **keywords)
        return await script(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(store.backend, "script", resent)
        return await pending


async def usage_of(store, lease):
    """Return what clients see of a run's usage."""
    return (await store.runs.get(lease.session.id, lease.run.id)).usage


async def test_conversation_gives_the_inbox_in_order_and_leaves_it_there(any_store):
    """A message leaves only with the turn that was shown it: a worker may be lost before that."""
    lease = await begun(any_store)
    assert await any_store.conversation.messages(lease) == []
    for text in ("first", "zweite ✓"):
        await send(any_store, lease, text)
    for _ in range(2):
        found = await any_store.conversation.messages(lease)
        assert found == [Message(text="first"), Message(text="zweite ✓")]


async def test_text_is_published_with_offsets_in_bytes_and_kept_for_those_who_come_late(
    any_store, any_redis
):
    """A follower puts the pieces together by their offsets, and sees a hole where one is missing."""
    lease = await begun(any_store)
    ids = lease.session.id, lease.run.id
    pieces = ["Grüße ", '"✓"\n', "😀 end"]
    async with followed(any_redis, any_store, lease) as heard:
        said = 0
        for piece in pieces:
            await any_store.conversation.append_text(lease, 3, said, piece)
            said += len(piece.encode())
        found = await heard()
    assert (await any_store.runs.get(*ids)).text == "".join(pieces)
    assert [message["data"] for message in found] == [
        {"t": 3, "attempt": 1, "offset": 0, "text": "Grüße "},
        {"t": 3, "attempt": 1, "offset": 8, "text": '"✓"\n'},
        {"t": 3, "attempt": 1, "offset": 14, "text": "😀 end"},
    ]
    seconds, _ = await any_redis.time()
    assert {message["run_id"] for message in found} == {lease.run.id}
    assert all(abs(message["time"] / 1000 - seconds) < 60 for message in found)


async def test_text_that_begins_anew_is_another_attempt(any_store, any_redis):
    """Of an answer that broke off, of a later turn, of another worker: the pieces do not mix."""
    lease = await begun(any_store)
    async with followed(any_redis, any_store, lease) as heard:
        await any_store.conversation.append_text(lease, 1, 0, "broken")
        await any_store.conversation.append_text(lease, 1, 0, "whole")
        await any_store.progress.record_turn(lease, turn(feedback="again"))
        await any_store.conversation.append_text(lease, 2, 0, "next")
        lease = await taken_over(any_store, any_redis, lease)
        await any_store.conversation.append_text(lease, 2, 0, "by another")
        found = await heard()
    told = [(message["data"]["t"], message["data"]["attempt"]) for message in found]
    assert told == [(1, 1), (1, 2), (2, 3), (2, 4)]
    run = await any_store.runs.get(lease.session.id, lease.run.id)
    assert run.text == "by another"


async def test_text_that_is_sent_twice_is_said_once(any_store, any_redis, monkeypatch):
    """Neither its beginning, which would be a new attempt, nor a further piece."""
    lease = await begun(any_store)
    async with followed(any_redis, any_store, lease) as heard:
        for before, text in ((0, "one "), (4, "two")):
            said = any_store.conversation.append_text(lease, 1, before, text)
            await twice(any_store, monkeypatch, said)
        assert [message["data"]["text"] for message in await heard()] == ["one ", "two"]
    assert (await any_store.runs.get(lease.session.id, lease.run.id)).text == "one two"


async def test_text_behind_a_hole_is_not_said(any_store, any_redis):
    """What is kept is what was said, from its beginning on."""
    lease = await begun(any_store)
    async with followed(any_redis, any_store, lease) as heard:
        await any_store.conversation.append_text(lease, 1, 0, "one ")
        await any_store.conversation.append_text(lease, 1, 9, "three")
        assert len(await heard()) == 1
    assert (await any_store.runs.get(lease.session.id, lease.run.id)).text == "one "


async def test_text_goes_with_the_run_that_ends(any_store):
    """A run that was cancelled in mid-sentence says nothing any more."""
    lease = await begun(any_store)
    await any_store.conversation.append_text(lease, 1, 0, "I will")
    await any_store.leases.release(lease)
    await any_store.runs.cancel(lease.session.id, lease.run.id)
    assert (await any_store.runs.get(lease.session.id, lease.run.id)).text is None


async def test_reservation_is_settled_by_the_turn_that_comes_of_it(any_store, any_redis):
    """What the answer took stands in its place, once, and the next owner knows it."""
    lease = await begun(any_store)
    usage = {"input_tokens": 70, "cached_tokens": 30, "output_tokens": 5, "cost": 0.25}
    await any_store.conversation.reserve(lease, 500, 2.0)
    for _ in range(2):
        await any_store.progress.record_turn(lease, turn(feedback="again", usage=usage))
    assert (await usage_of(any_store, lease)).model_dump() == {
        **usage,
        "steps": 0,
        "lost_tokens": 0,
    }
    assert (await taken_over(any_store, any_redis, lease)).used == Spent(Usage(**usage))


async def test_reservation_stands_while_turns_are_stored_that_no_model_made(any_store, any_redis):
    """A compaction by rule costs nothing, and says nothing of the request that is under way."""
    lease = await begun(any_store)
    await any_store.conversation.reserve(lease, 500, 2.0)
    await any_store.progress.record_turn(lease, turn(covers=0))
    after = await taken_over(any_store, any_redis, lease)
    assert after.used == Spent(lost_tokens=500, lost_cost=2.0)


async def test_reservation_that_is_sent_twice_is_one(any_store, any_redis, monkeypatch):
    """The second one would make the first one a loss."""
    lease = await begun(any_store)
    reserving = any_store.conversation.reserve(lease, 500, 2.0)
    await twice(any_store, monkeypatch, reserving)
    settling = any_store.conversation.settle(lease, Usage(output_tokens=3, cost=0.5))
    await twice(any_store, monkeypatch, settling)
    after = await taken_over(any_store, any_redis, lease)
    assert after.used == Spent(Usage(output_tokens=3, cost=0.5))


async def test_reservation_that_meets_another_is_lost(any_store):
    """An answer that broke off took something, and nobody knows how much: all of it stays charged."""
    lease = await begun(any_store)
    for tokens, cost in ((500, 2.0), (300, None)):
        await any_store.conversation.reserve(lease, tokens, cost)
    assert (await usage_of(any_store, lease)).lost_tokens == 500
    await any_store.conversation.settle(lease, Usage())  # it was refused: it took nothing
    await any_store.conversation.reserve(lease, 100, 1.0)
    usage = await usage_of(any_store, lease)
    assert (usage.lost_tokens, usage.output_tokens, usage.cost) == (500, 0, None)


async def test_reservation_of_a_lost_owner_is_lost_to_the_next_one(any_store, any_redis):
    """Its answer may have come and been paid for; the next owner's own is settled by itself."""
    first = await begun(any_store)
    await any_store.conversation.reserve(first, 500, 2.0)
    second = await taken_over(any_store, any_redis, first)
    assert second.used == Spent(lost_tokens=500, lost_cost=2.0)
    await any_store.conversation.reserve(second, 100, 1.0)
    usage = {"output_tokens": 7, "cost": 0.5}
    await any_store.progress.record_turn(second, turn(feedback="again", usage=usage))
    third = await taken_over(any_store, any_redis, second)
    assert third.used == Spent(Usage(**usage), lost_tokens=500, lost_cost=2.0)


async def test_reservation_that_is_open_when_its_run_ends_or_is_given_back_is_lost(any_store):
    """A cancel in mid-stream, a worker that drains: what was asked for may be charged by its provider."""
    lease = await begun(any_store)
    await any_store.conversation.reserve(lease, 500, 2.0)
    await any_store.leases.release(lease)
    assert (await usage_of(any_store, lease)).lost_tokens == 500
    again = await any_store.leases.acquire(lease.session.id, lease.run.id, "another")
    await any_store.conversation.reserve(again, 20, 2.0)
    await any_store.progress.finish(again, Ending("cancelled", reason="asked"))
    assert (await usage_of(any_store, lease)).lost_tokens == 520


async def test_usage_has_no_cost_once_an_answer_has_no_price(any_store):
    """And the tokens count on."""
    lease = await begun(any_store)
    await any_store.conversation.settle(lease, Usage(output_tokens=3, cost=0.5))
    assert (await usage_of(any_store, lease)).cost == 0.5
    await any_store.conversation.settle(lease, Usage(output_tokens=4))
    usage = await usage_of(any_store, lease)
    assert (usage.output_tokens, usage.cost) == (7, None)
