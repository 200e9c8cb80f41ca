"""A stream as a whole: it begins as the protocol wants it, and ends with the run, whatever happens."""

import asyncio
from contextlib import aclosing

from common.errors import ClientError
from common.plans import Usage
from common.runs import RunResult
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.records import Ending
from tests.orchestrator.agui.protocol import (
    asked,
    interrupt_of,
    of,
    read,
    resumed,
    statuses,
    texts,
    tool_calls,
)
from tests.orchestrator.builders import DONE, ask, ask_approval, call_of, step, turn
from tests.orchestrator.fakes import until

FAILED = ClientError("budget_exceeded", "All steps are used").problem("orchestrator", "req_1")


async def act(store, lease, made, **outcome):
    """Have a step made, as a worker records it."""
    await store.progress.record_turn(lease, turn(made))
    await store.progress.record(lease, [(made, call_of(made))])
    ended = made.model_copy(update={"status": "succeeded", **outcome})
    await store.progress.record(lease, [(ended, call_of(made))])


async def test_a_stream_tells_its_ids_its_state_and_the_tools_that_are_ignored(
    taken, stream, store
):
    """In the client's own words where they are its own."""
    tools = [{"name": "confirm", "description": "d"}]
    lease = await taken(asked(tools=tools))
    await store.progress.finish(lease, DONE)
    events = await stream(asked(tools=tools))
    assert (events[0].thread_id, events[0].run_id, events[0].protocol_version) == ("t", "r", "1.0")
    [ignored] = of(events, "CUSTOM")
    assert (ignored.name, ignored.value) == ("agentic:ignored_tools", ["confirm"])
    first, *_, last = (event.snapshot for event in of(events, "STATE_SNAPSHOT"))
    assert (first["session_id"], first["run_id"]) == (lease.session.id, lease.run.id)
    assert (first["workspace"], first["usage"]) == ("demo", None)
    assert (last["status"], last["usage"]["steps"]) == ("succeeded", 0)
    assert (events[-1].thread_id, events[-1].run_id) == ("t", "r")
    assert events[-1].result == {"answer": "ok", "changes": []}
    assert texts(events) == {f"{lease.run.id}:answer": "ok"}


async def test_a_call_is_told_with_what_events_leave_out(taken, stream, store):
    """Long arguments, and outputs."""
    lease = await taken(asked())
    made = step(1, arguments={"content": "x" * 5000})
    await act(store, lease, made, output={"lines": 3})
    await store.progress.finish(lease, DONE)
    [(tool, arguments, result)] = tool_calls(await stream(asked()))
    assert (tool, arguments) == ("t", made.arguments)
    assert result == {"status": "succeeded", "output": {"lines": 3}, "receipts": [], "error": None}


async def test_a_call_that_was_never_sent_is_told_as_one_that_failed(taken, stream, store):
    """It has no beginning in the log: it was refused, or wrong."""
    lease = await taken(asked())
    made = step(1, arguments={"path": "a"})
    await store.progress.record_turn(lease, turn(made))
    failed = made.model_copy(update={"status": "failed", "error": FAILED})
    await store.progress.record(lease, [(failed, call_of(made))])
    await store.progress.finish(lease, Ending("failed", error=FAILED))
    events = await stream(asked())
    [(_, arguments, result)] = tool_calls(events)
    assert (arguments, result["error"]["code"]) == ({"path": "a"}, "budget_exceeded")
    last = events[-1]
    assert (last.type, last.code) == ("RUN_ERROR", "budget_exceeded")
    assert last.message == f"{FAILED.detail}. {FAILED.hint}"
    assert last.raw_event == FAILED.model_dump(mode="json")


async def test_a_cancelled_run_is_finished_and_no_error(enter, stream, store):
    """Somebody wanted it so."""
    session, place = await enter(asked())
    await store.runs.cancel(session.id, place.run_id)
    last = (await stream(asked()))[-1]
    assert (last.type, last.outcome.type) == ("RUN_FINISHED", "cancelled")


async def test_a_stream_tells_what_its_own_turns_took(taken, stream, store):
    """Of those before the interrupt, the stream before has told."""
    lease = await taken(asked())
    used = Usage(input_tokens=10, cached_tokens=4, output_tokens=2)
    await store.progress.record_turn(lease, turn(question="which one?", usage=used))
    await store.leases.park(lease, '{"question":"which one?"}')
    waits = await stream(asked())
    [usage] = waits[-1].usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (10, 4, 2)
    answer = resumed(interrupt_of(waits), "the second")
    following = asyncio.create_task(stream(answer))

    async def is_answered():
        return (await store.runs.get(lease.session.id, lease.run.id)).status == "queued"

    await until(is_answered)
    again = await store.leases.acquire(lease.session.id, lease.run.id, "w")
    said = turn(t=2, answer="ok", messages=[{"text": "the second"}], usage=Usage(input_tokens=5))
    done = Ending("succeeded", result=RunResult(answer="ok", changes=[]), turn=said)
    await store.progress.finish(again, done)
    ended = await following
    assert ended[-1].usage[0].input_tokens == 5
    assert statuses(ended) == ["queued", "running", "succeeded"]


async def test_a_stream_passes_over_what_was_asked_and_answered_before(taken, stream, store):
    """The state decides: an interrupt that nobody can answer any more would be a dead end."""
    lease = await taken(asked())
    await ask_approval(store, lease, "asks", "asks")
    first = interrupt_of(await stream(asked()))
    second = interrupt_of(await stream(resumed(first, {"approved": True, "steps": [1]})))
    assert first.id != second.id
    assert interrupt_of(await stream(asked())) == second


async def test_a_stream_goes_on_behind_events_that_are_lost(taken, stream, store):
    """A trimmed log, or a failover: what the run has come to is told all the same."""
    lease = await taken(asked())
    await act(store, lease, step(1))
    await store.progress.finish(lease, DONE)
    log = store.backend.keys.events(lease.session.id)
    await store.backend.redis.xtrim(log, maxlen=1, approximate=False)
    events = await stream(asked())
    assert (events[-1].outcome.type, statuses(events)) == ("success", ["queued", "succeeded"])


async def test_a_stream_ends_at_a_question_whose_event_is_lost(taken, stream, store):
    """Otherwise the person would wait for the run, and the run for the person."""
    for wait, reason in ((ask, "input_required"), (ask_approval, "confirmation")):
        lease = await taken(asked(thread=reason))
        await wait(store, lease)
        log = store.backend.keys.events(lease.session.id)
        await store.backend.redis.xtrim(log, maxlen=0, approximate=False)
        assert interrupt_of(await stream(asked(thread=reason))).reason == reason


async def test_a_stream_whose_session_goes_ends_with_an_error(taken, batches, store):
    """Nothing else would ever come."""
    lease = await taken(asked())
    async with aclosing(await batches(asked())) as answer:
        assert len(await anext(answer)) == 2
        await store.backend.redis.delete(store.backend.keys.session(lease.session.id))
        rest = [one.sse async for batch in answer for one in batch]
    [*_, last] = read(b"".join(rest).decode())
    assert (last.type, last.code) == ("RUN_ERROR", "session_not_found")


async def test_a_stream_of_a_service_that_stops_says_that_the_run_goes_on(taken, batches, services):
    """A client that took it for the run's end would start another one."""
    await taken(asked())
    async with aclosing(await batches(asked())) as answer:
        await anext(answer)
        services.connections.close()
        rest = [one.sse async for batch in answer for one in batch]
    [*_, last] = read(b"".join(rest).decode())
    assert (last.code, last.raw_event["retryable"]) == ("unavailable", True)
    assert "goes on" in last.message


async def test_a_stream_that_cannot_read_ends_with_an_error(taken, stream, store, monkeypatch):
    """Its answer has begun: there is no other place for the problem."""
    lease = await taken(asked())
    await store.progress.finish(lease, DONE)
    real, asks = store.runs.get, iter(range(10))

    async def get(*ids):
        if next(asks):
            raise StoreUnavailable("unavailable", "The store cannot be reached")
        return await real(*ids)

    monkeypatch.setattr(store.runs, "get", get)
    last = (await stream(asked()))[-1]
    assert (last.code, last.raw_event["request_id"]) == ("unavailable", "req_1")


async def test_a_stream_that_comes_late_tells_all_that_is_being_said(taken, stream, store):
    """Its first piece stands behind words that it has not heard."""
    lease = await taken(asked())
    await store.conversation.append_text(lease, 1, 0, "Well, ")
    following = asyncio.create_task(stream(asked()))
    channel = store.backend.keys.text_channel(lease.session.id)

    async def is_heard():
        return await store.backend.redis.pubsub_numsub(channel) == [(channel, 1)]

    await until(is_heard)
    await store.conversation.append_text(lease, 1, 6, "yes.")
    said = turn(answer="Well, yes.", text="Well, yes.", usage=Usage(output_tokens=3))
    result = RunResult(answer="Well, yes.", changes=[])
    await store.progress.finish(lease, Ending("succeeded", result=result, turn=said))
    assert texts(await following) == {f"{lease.run.id}:1": "Well, yes."}


async def test_a_stream_says_in_a_silence_that_it_is_alive(taken, batches, monkeypatch):
    """By an empty batch, which becomes a comment: proxies cut silent connections."""
    monkeypatch.setattr("orchestrator.streaming.feeds.HEARTBEAT", 0.0)
    monkeypatch.setattr("orchestrator.streaming.connections.POLL", 0.01)
    await taken(asked())
    async with asyncio.timeout(20), aclosing(await batches(asked())) as answer:
        [await anext(answer) for _ in range(2)]
        assert list(await anext(answer)) == []


async def test_a_stream_whose_client_leaves_lets_go_of_its_session(taken, batches, services):
    """And of nothing else: the run goes on."""
    lease = await taken(asked())
    async with aclosing(await batches(asked())) as answer:
        await anext(answer)
        await anext(answer)
        assert services.connections._feeds
    assert not services.connections._feeds
    run = await services.store.runs.get(lease.session.id, lease.run.id)
    assert run.status == "running"
