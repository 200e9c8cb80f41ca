"""What a run's owner writes: bounded outputs, and the ending."""

import pytest

from common.errors import SystemFault
from common.plans import Message
from common.runs import Step
from orchestrator.store.backend import StoreConfig
from orchestrator.store.encoding.step_records import step_record
from orchestrator.store.records import Ending
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    DONE,
    answer,
    begun,
    call_of,
    document,
    event_types,
    send,
    step,
    taken_over,
    turn,
)


async def test_progress_bounds_the_outputs_of_a_step_and_a_run(redis):
    """Per step and per run; the receipts stay, and the error says that the effect stands."""
    outputs = [{"x": "a" * 200}, {"x": "a" * 60}, {"x": "a" * 60}, None]
    made = [
        step(n, status="succeeded", output=output, arguments={"path": "p"})
        for n, output in enumerate(outputs, 1)
    ]
    decided = turn(*made)
    most = len(decided.model_dump_json()) + 130
    store = make_store(redis, "test", StoreConfig(max_step_output=100, max_run_output=most))
    opened = await store.sessions.create("ann", None, {}, None)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    await store.progress.record_turn(lease, decided)
    entries, stored = list(zip(made, decided.calls, strict=True)), []
    while left := entries[len(stored) :]:
        stored += await store.progress.record(lease, left)
    assert [made.status for made in stored] == ["failed", "succeeded", "failed", "succeeded"]
    error = stored[0].error
    assert (error.code, error.outcome, error.request_id) == (
        "output_too_large",
        "executed",
        "req_1",
    )
    assert error.context["path"] == "p"
    shown = [Step.model_validate(step.model_dump()) for step in stored]
    assert (await store.runs.get(opened.id, run.id)).steps == shown


@pytest.mark.parametrize(
    ("ending", "field"),
    [
        (DONE, "result"),
        (
            Ending("failed", error=SystemFault("internal", "x").problem("orchestrator", "r")),
            "error",
        ),
        (Ending("cancelled", reason="why"), "reason"),
    ],
)
async def test_progress_keeps_and_tells_every_ending(store, leased, ending, field):
    """The run and the last event say the same."""
    lease = await leased()
    await store.progress.finish(lease, ending)
    run = await store.runs.get(lease.session.id, lease.run.id)
    last = (await store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (run.status, last.type) == (ending.status, f"run.{ending.status}")
    assert run.finished_at is not None
    assert field in last.data


async def test_progress_keeps_what_came_of_a_step_from_a_start_that_arrives_late(store, leased):
    """A connection that was given up may still deliver what was sent again over another one."""
    lease = await leased()
    begun, made = step(), step(status="succeeded", output={"x": 1})
    decided = turn(begun)
    await store.progress.record_turn(lease, decided)
    await store.progress.record(lease, [(begun, decided.calls[0])])
    await store.progress.record(lease, [(made, decided.calls[0])])
    await store.progress.record(lease, [(begun, decided.calls[0])])
    await store.progress.record(lease, [(made, decided.calls[0])])
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert [step.status for step in run.steps] == ["succeeded"]
    types = await event_types(store, lease.session.id)
    assert (types.count("step.started"), types.count("step.succeeded")) == (1, 1)


async def begun_one(store, *outputs):
    """Return a lease, and steps of a turn: as they begin, and as they end with these outputs."""
    lease = await begun(store)
    starts = [step(n) for n, _ in enumerate(outputs, 1)]
    decided = turn(*starts)
    await store.progress.record_turn(lease, decided)
    ends = [
        made.model_copy(update={"status": "succeeded", "output": output})
        for made, output in zip(starts, outputs, strict=True)
    ]
    entries = [list(zip(steps, decided.calls, strict=True)) for steps in (starts, ends)]
    return lease, *entries


async def test_outcome_and_the_next_beginning_that_are_sent_twice_take_effect_once(any_store):
    """Their answer was lost, or they arrive late, behind what came of the second one."""
    lease, starts, ends = await begun_one(any_store, {"x": 1}, {"x": 2})
    fused = [ends[0], starts[1]]
    await any_store.progress.record(lease, starts[:1])
    for _ in range(2):
        assert len(await any_store.progress.record(lease, fused)) == 2
    await any_store.progress.record(lease, ends[1:])
    assert len(await any_store.progress.record(lease, fused)) == 2
    run = await any_store.runs.get(lease.session.id, lease.run.id)
    assert [made.output for made in run.steps] == [{"x": 1}, {"x": 2}]
    types = [kind for kind in await event_types(any_store, lease.session.id) if "step" in kind]
    assert types == ["step.started", "step.succeeded"] * 2


async def test_nothing_is_begun_behind_an_outcome_that_does_not_fit(any_redis):
    """What it was to be called with may be made of that; and the outcome itself is stored without."""
    store = make_store(any_redis, "test", StoreConfig(max_run_output=1000))
    lease, starts, ends = await begun_one(store, {"x": "a" * 2000}, {})
    await store.progress.record(lease, starts[:1])
    [failed] = await store.progress.record(lease, [ends[0], starts[1]])
    assert (failed.status, failed.output) == ("failed", None)
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert [made.status for made in run.steps] == ["failed"]


async def test_ending_whose_last_step_does_not_fit_is_none(any_redis):
    """That the step has failed may mean another one; it may be said again."""
    store = make_store(any_redis, "test", StoreConfig(max_run_output=1000))
    lease, starts, ends = await begun_one(store, {"x": "a" * 2000})
    await store.progress.record(lease, starts)
    for _ in range(2):
        assert await store.progress.finish(lease, DONE, ends) == "full"
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert (run.status, run.steps[0].status) == ("running", "running")
    ends = list(zip(await store.progress.record(lease, ends), [ends[0][1]], strict=True))
    assert await store.progress.finish(lease, DONE) == "done"
    assert (await store.runs.get(lease.session.id, lease.run.id)).steps[0].status == "failed"


async def test_ending_with_the_last_step_that_is_sent_twice_takes_effect_once(any_store):
    """Its answer was lost."""
    lease, starts, ends = await begun_one(any_store, {"x": 1})
    await any_store.progress.record(lease, starts)
    for _ in range(2):
        assert await any_store.progress.finish(lease, DONE, ends) == "done"
    types = await event_types(any_store, lease.session.id)
    assert types[-3:] == ["step.started", "step.succeeded", "run.succeeded"]


async def test_progress_takes_no_write_for_a_repetition_that_did_not_fit(redis):
    """Nothing was stored of it: sent again, it is told the same."""
    store = make_store(redis, "test", StoreConfig(max_run_output=10))
    opened = await store.sessions.create("ann", None, {}, None)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    made = step(1, status="succeeded", output={"x": "a" * 60})
    records = [step_record(made, call_of(made))]
    assert [await store.progress._record(lease, records) for _ in range(2)] == [0, 0]


async def test_turn_takes_exactly_the_messages_out_of_the_inbox_that_it_was_shown(
    any_store, any_redis
):
    """One that came while the model decided is for the next turn; and so it is for another owner."""
    lease = await begun(any_store)
    for text in ("a", "b"):
        await send(any_store, lease, text)
    shown = [message.model_dump() for message in await any_store.conversation.messages(lease)]
    await send(any_store, lease, "c")
    await any_store.progress.record_turn(lease, turn(feedback="x", messages=shown))
    assert await any_store.conversation.messages(lease) == [Message(text="c")]
    after = await taken_over(any_store, any_redis, lease)
    assert [message.text for message in after.turns[0].messages] == ["a", "b"]
    assert await any_store.conversation.messages(after) == [Message(text="c")]


async def test_turn_that_arrives_late_once_more_takes_nothing_and_charges_nothing(any_store):
    """A connection that was given up may still deliver it, behind the turn after it."""
    lease = await begun(any_store)
    await send(any_store, lease, "a")
    usage = {"output_tokens": 5, "cost": 0.5}
    first = turn(t=1, feedback="x", messages=[{"text": "a"}], usage=usage)
    await any_store.progress.record_turn(lease, first)
    await any_store.progress.record_turn(lease, turn(t=2, feedback="y"))
    await send(any_store, lease, "b")
    await any_store.progress.record_turn(lease, first)
    assert await any_store.conversation.messages(lease) == [Message(text="b")]
    assert (await any_store.runs.get(lease.session.id, lease.run.id)).usage.output_tokens == 5
    assert (await event_types(any_store, lease.session.id)).count("turn.decided") == 2


async def test_answer_that_does_not_know_all_messages_does_not_end_its_run(any_store):
    """Nothing is stored of it, and it may be said once more; then it is a turn, and the run goes on."""
    lease = await begun(any_store)
    ids = lease.session.id, lease.run.id
    await send(any_store, lease, "a")
    known = await any_store.conversation.messages(lease)
    await send(any_store, lease, "b")
    before = await any_store.runs.get(*ids)
    early = answer(1, *known, usage={"output_tokens": 5})
    for _ in range(2):
        assert await any_store.progress.finish(lease, early) == "more"
    assert await any_store.runs.get(*ids) == before
    assert await any_store.runs.turns(*ids) == []
    assert len(await any_store.conversation.messages(lease)) == 2
    await any_store.progress.record_turn(lease, early.turn)
    [late] = await any_store.conversation.messages(lease)
    assert late.text == "b"
    for _ in range(2):
        final = answer(2, late, usage={"output_tokens": 7})
        assert await any_store.progress.finish(lease, final) == "done"
    run = await any_store.runs.get(*ids)
    assert (run.status, run.usage.output_tokens) == ("succeeded", 12)
    assert len(await any_store.runs.turns(*ids)) == 2


async def test_answer_that_arrives_late_once_more_does_not_end_the_run_that_went_on(any_store):
    """The messages that it did not know are read by then, and the inbox is empty."""
    lease = await begun(any_store)
    await send(any_store, lease, "a")
    early = answer(1)
    assert await any_store.progress.finish(lease, early) == "more"
    await any_store.progress.record_turn(lease, early.turn)
    read = [message.model_dump() for message in await any_store.conversation.messages(lease)]
    await any_store.progress.record_turn(lease, turn(t=2, feedback="x", messages=read))
    assert await any_store.progress.finish(lease, early) == "more"
    assert (await any_store.runs.get(lease.session.id, lease.run.id)).status == "running"


@pytest.mark.parametrize("ending", [Ending("failed", reason="x"), Ending("cancelled", reason="x")])
async def test_run_that_fails_or_is_cancelled_ends_whatever_people_have_sent(any_store, ending):
    """Only an answer can be asked for again."""
    lease = await begun(any_store)
    await send(any_store, lease, "a")
    assert await any_store.progress.finish(lease, ending) == "done"
    run = await any_store.runs.get(lease.session.id, lease.run.id)
    assert run.status == ending.status


async def test_ending_settles_what_its_answer_took(any_store):
    """The last answer costs like any other, and nothing of what was reserved for it is lost."""
    lease = await begun(any_store)
    await any_store.conversation.reserve(lease, 500, 2.0)
    usage = {"input_tokens": 3, "cached_tokens": 2, "output_tokens": 1, "cost": 0.125}
    for _ in range(2):
        assert await any_store.progress.finish(lease, answer(1, usage=usage)) == "done"
    run = await any_store.runs.get(lease.session.id, lease.run.id)
    assert run.usage.model_dump() == {**usage, "steps": 0, "lost_tokens": 0}
