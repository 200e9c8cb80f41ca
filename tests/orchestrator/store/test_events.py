"""A session's event log."""

from common.ids import new_id
from tests.orchestrator.builders import call_of, code_of, document, step


async def test_events_are_numbered_without_holes(store, leased):
    """A follower counts on it."""
    lease = await leased()
    for n in range(1, 4):
        await store.progress.record(lease, [(step(n), call_of(step(n)))])
        await store.progress.record(
            lease, [(step(n, status="succeeded", output={"x": 1}), call_of(step(n)))]
        )
    log = await store.events.after(lease.session.id, 0, 100)
    assert [event.seq for event in log.events] == list(range(1, log.last_seq + 1))
    done = [event for event in log.events if event.type == "step.succeeded"]
    assert all("output" not in event.data for event in done)
    assert (await store.events.after(lease.session.id, 3, 2)).events[0].seq == 4
    assert (await store.events.after(new_id("ses"), 0, 1)).last_seq is None


async def test_event_goes_out_as_it_is_stored(store, leased):
    """Its data may be megabytes: reading it only to write it again would hold up everybody."""
    lease = await leased()
    made = step(arguments={"path": "a", "text": "{}} ü \\ \n"})
    await store.progress.record(lease, [(made, call_of(made))])
    log = await store.events.after(lease.session.id, 0, 100)
    for entry, event in zip(log.entries, log.events, strict=True):
        assert entry.json == event.model_dump_json()
        assert entry.head == event.model_copy(update={"data": {}})
    assert log.events[-1].data["arguments"]["text"] == "{}} ü \\ \n"


async def test_first_event_of_a_run_is_found_without_reading_the_log(store, leased, redis):
    """A session's log may hold ten thousand others before it."""
    lease = await leased()
    session_id, run_id = lease.session.id, lease.run.id
    second = document(session_id)
    await store.runs.create(second, "enqueue")
    assert await store.events.first_seq(session_id, run_id) == 2
    assert await store.events.first_seq(session_id, second.id) == 4
    assert (await store.events.after(session_id, 3, 1)).events[0].run_id == second.id
    await redis.hdel(f"test:{{{session_id}}}:run:{run_id}", "first_seq")
    assert await store.events.first_seq(session_id, run_id) == 1  # an older program's
    assert await code_of(store.events.first_seq(session_id, new_id("run"))) == "run_not_found"


async def test_last_events_of_many_sessions_are_known_at_once(store, leased):
    """One question for all that a process follows."""
    lease = await leased()
    assert await store.events.last_seqs([lease.session.id, new_id("ses")]) == [3, None]
    assert await store.events.last_seqs([]) == []
