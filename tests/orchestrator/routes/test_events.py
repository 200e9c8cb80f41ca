"""Events over HTTP: where a client may go on from, and where it begins."""

import asyncio
import json

import httpx
import pytest

from tests.orchestrator.builders import DONE, document

SOON = 20.0


async def events_of(service, session_id, count, last_id=None, **query):
    """Return the first events that come, each with its id, or the code of the refusal."""
    url = f"http://{service.base}/v1/sessions/{session_id}/events"
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    found, event_id = [], None
    async with (
        asyncio.timeout(SOON),
        httpx.AsyncClient() as http,
        http.stream("GET", url, headers=headers, params=query) as answer,
    ):
        if not answer.is_success:
            return json.loads(await answer.aread())["code"]
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line.startswith("data: "):
                found.append((event_id, json.loads(line.removeprefix("data: "))))
            if len(found) == count:
                break
    return found


async def test_sse_goes_on_after_an_id_as_it_was_given(live, store, session):
    """Or after a number alone, as clients of before have it."""
    mine = await session("local")
    await store.runs.create(document(mine.id), "reject")
    service = await live()
    [(first_id, _), (second_id, second)] = await events_of(service, mine.id, 2)
    assert first_id.startswith("1.")
    for last_id in (first_id, "1", "0001"):
        assert await events_of(service, mine.id, 1, last_id) == [(second_id, second)]


@pytest.mark.parametrize("last_id", ["9" * 30, "7.5", "9" * 4000 + "." + "9" * 4000])
async def test_sse_after_an_id_beyond_any_event_begins_with_a_gap(live, session, last_id):
    """The log has lost its end, or the client made it up: never a fault."""
    mine = await session("local")
    [(gap_id, gap)] = await events_of(await live(), mine.id, 1, last_id)
    assert (gap_id, gap["type"], gap["data"]["from_seq"]) == ("1", "gap", 2)


@pytest.mark.parametrize("last_id", ["x", "-1", "1_0", "1.", ".1", "1.2.3", "+1", "\uff11", ""])
async def test_sse_after_what_is_no_id_is_refused(live, session, last_id):
    """As other headers are."""
    mine = await session("local")
    assert await events_of(await live(), mine.id, 1, last_id.encode()) == "invalid_request"


async def test_sse_of_a_run_reads_the_log_from_its_first_event_on(
    live, store, session, monkeypatch
):
    """A session's log may hold ten thousand events of others before it."""
    mine = await session("local")
    first, second = document(mine.id), document(mine.id)
    await store.runs.create(first, "reject")
    await store.progress.finish(await store.leases.acquire(mine.id, first.id, "w"), DONE)
    await store.runs.create(second, "reject")
    await store.progress.finish(await store.leases.acquire(mine.id, second.id, "w"), DONE)
    reads, real = [], store.events.after

    async def after(session_id, seq, count):
        reads.append(seq)
        return await real(session_id, seq, count)

    monkeypatch.setattr(store.events, "after", after)
    found = await events_of(await live(), mine.id, None, run_id=second.id)
    assert [event["seq"] for _, event in found] == [5, 6, 7]
    assert {event["run_id"] for _, event in found} == {second.id}
    assert min(reads) == 4
    assert await events_of(await live(), mine.id, 1, run_id="run_" + "0" * 32) == "run_not_found"
