"""A session's event log."""

from common.ids import new_id
from tests.orchestrator.builders import call_of, step


async def test_events_are_numbered_without_holes(store, leased):
    """A follower counts on it."""
    lease = await leased()
    for n in range(1, 4):
        await store.progress.start_step(lease, step(n), call_of(step(n)))
        await store.progress.commit_step(
            lease, step(n, status="succeeded", output={"x": 1}), call_of(step(n))
        )
    log = await store.events.after(lease.session.id, 0, 100)
    assert [event.seq for event in log.events] == list(range(1, log.last_seq + 1))
    done = [event for event in log.events if event.type == "step.succeeded"]
    assert all("output" not in event.data for event in done)
    assert (await store.events.after(lease.session.id, 3, 2)).events[0].seq == 4
    assert (await store.events.after(new_id("ses"), 0, 1)).last_seq is None
