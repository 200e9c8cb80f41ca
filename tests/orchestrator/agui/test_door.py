"""What a request starts or answers: once, in its thread's session, for its user alone."""

import pytest

from common.errors import ClientError
from orchestrator.agui.interrupts import Waiting
from orchestrator.streaming.frames import START
from tests.orchestrator.agui.conftest import RUNS
from tests.orchestrator.agui.protocol import asked, interrupt_of, resumed
from tests.orchestrator.builders import DONE, ask, ask_approval, code_of


@pytest.fixture
def asking(taken, services, stream):
    """Start a run that waits; return its lease, and the interrupt that its stream ends with."""

    async def asks(wait=ask_approval, body=None):
        lease = await taken(body or asked())
        await wait(services.store, lease)
        return lease, interrupt_of(await stream(body or asked()))

    return asks


async def test_a_thread_is_a_session_of_its_user_and_workspace(enter, store):
    """The same three name it again; its metadata say which thread it is."""
    first, _ = await enter(asked())
    assert (first.user_id, first.workspace) == ("ann", "demo")
    assert first.metadata == {"agui_thread": "t"}
    assert (await enter(asked()))[0].id == first.id
    others = [
        await enter(asked(), "bob"),
        await enter(asked(), "cyd", "other"),
        await enter(asked(thread="u"), "cyd"),
    ]
    assert len({first.id, *(session.id for session, _ in others)}) == 4


async def test_a_run_id_starts_one_run(enter, services):
    """The same request finds it, also once it has ended; another one under its id is refused."""
    session, place = await enter(asked())
    assert (await enter(asked()))[1] == place
    lease = await services.store.leases.acquire(session.id, place.run_id, "w")
    await services.store.progress.finish(lease, DONE)
    assert (await enter(asked()))[1] == place
    assert len((await services.store.runs.list(session.id, 10, None)).items) == 1


async def test_a_run_id_is_no_key_that_another_door_takes(enter, services):
    """A header cannot bring the first character of the door's own keys."""
    session, place = await enter(asked(run="key"))
    name = services.store.backend.keys.run_idempotency(session.id, "\0agui key")
    assert (await services.store.backend.redis.get(name)).startswith(place.run_id)


async def test_another_goal_under_the_same_run_id_is_a_conflict(enter):
    """It would show the events of something else."""
    await enter(asked())
    assert await code_of(enter(asked("read a.txt"))) == "idempotency_conflict"


async def test_an_answer_comes_from_the_thread_that_was_asked(enter, asking):
    """Another user's run is none, nor is one of another thread or workspace."""
    _, interrupt = await asking()
    body = resumed(interrupt, True)
    assert await code_of(enter(body, "bob")) == "session_not_found"
    assert await code_of(enter(body, "ann", "other")) == "run_not_found"
    assert await code_of(enter({**body, "threadId": "u"})) == "run_not_found"
    _, place = await enter(body)
    assert place.cursor.seq == Waiting.parse(interrupt.id).cursor.seq


async def test_an_answer_is_no_run_that_is_counted(enter, asking):
    """A person may give one all the same."""
    _, interrupt = await asking()
    for _ in range(RUNS - 2):
        await enter(asked())
    assert await code_of(enter(asked(thread="u"))) == "rate_limited"
    await enter(resumed(interrupt, True))


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (None, "resume.0.payload"),
        ({}, "resume.0.payload.approved"),
        ({"approved": "yes"}, "resume.0.payload.approved"),
        ({"approved": True, "editedArgs": {}}, "resume.0.payload.editedArgs"),
    ],
)
async def test_an_answer_that_says_something_else_is_refused(enter, asking, payload, field):
    """Nobody's consent is guessed."""
    _, interrupt = await asking()
    with pytest.raises(ClientError) as refused:
        await enter(resumed(interrupt, payload))
    assert refused.value.context.fields[0].field == field


async def test_several_answers_at_once_are_refused(enter, asking):
    """A run waits with one thing."""
    _, interrupt = await asking()
    body = resumed(interrupt, True)
    assert await code_of(enter({**body, "resume": body["resume"] * 2})) == "invalid_request"


async def test_an_answer_to_a_question_is_taken_once(enter, asking, services):
    """The same again is no other; another one, and one to a question that is over, is refused."""
    lease, interrupt = await asking(ask)
    _, place = await enter(resumed(interrupt, {"text": "the second"}))
    assert (await enter(resumed(interrupt, "the second", run="more")))[1] == place
    assert await code_of(enter(resumed(interrupt, "the first"))) == "idempotency_conflict"
    again = await services.store.leases.acquire(lease.session.id, lease.run.id, "w")
    assert [m.text for m in await services.store.conversation.messages(again)] == ["the second"]


async def test_an_answer_to_a_question_that_was_answered_elsewhere_is_refused(
    enter, asking, services
):
    """It would be read as one to the next question."""
    lease, interrupt = await asking(ask)
    ids = lease.session.id, lease.run.id
    await services.store.messages.send(*ids, "by REST", user_id="ann")
    assert await code_of(enter(resumed(interrupt, "late"))) == "precondition_failed"


@pytest.mark.parametrize("wait", [ask, ask_approval])
async def test_an_interrupt_that_is_abandoned_cancels_the_run_that_waits_with_it(
    enter, asking, services, wait
):
    """Not one that has gone on; again, it is cancelled already."""
    lease, interrupt = await asking(wait)
    ids, over = (lease.session.id, lease.run.id), resumed(interrupt, status="cancelled")
    stale = Waiting.parse(interrupt.id)
    other = Waiting(*ids, stale.kind, stale.revision + 1, START)
    later = interrupt.model_copy(update={"id": str(other)})
    assert await code_of(enter(resumed(later, status="cancelled"))) == "precondition_failed"
    assert [(await enter(over))[1].run_id for _ in range(2)] == [lease.run.id] * 2
    assert (await services.store.runs.get(*ids)).status == "cancelled"


async def test_an_interrupt_is_not_abandoned_once_its_run_goes_on(enter, asking, services):
    """A stale window of a browser must not end what another one has approved."""
    lease, interrupt = await asking()
    await enter(resumed(interrupt, True))
    over = resumed(interrupt, status="cancelled")
    assert await code_of(enter(over)) == "precondition_failed"
    assert (await services.store.runs.get(lease.session.id, lease.run.id)).status == "queued"
