"""Answers to a turn that waits: compared with what was seen, stored once, and a worker is woken once."""

import asyncio

import pytest

from common.approvals.reviews import ApprovalAnswer, EditedCall, PlanReplace
from common.approvals.rules import Rule
from common.errors import AgenticError
from common.ids import new_id
from orchestrator.store.approvals import reviews
from orchestrator.store.approvals.reviews import ReviewStore, Said
from orchestrator.store.backend import StoreConfig
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    DONE,
    DyingQueue,
    ask,
    ask_approval,
    begun,
    call_of,
    code_of,
    document,
    event_types,
    review,
    server_time,
    step,
    taken_over,
    turn,
    woken,
)

APPROVE, REJECT = ApprovalAnswer(decision="approve"), ApprovalAnswer(decision="reject", reason="no")
EDIT = PlanReplace(calls=[EditedCall(n=1, arguments={"path": "b"})])
DENY = Rule(tool="remove", path="docs", effect="deny")


def ids_of(lease):
    """Return what names a run."""
    return lease.session.id, lease.run.id


def said(expected, *states, body=APPROVE, **more) -> Said:
    """Return an answer to the plan of that revision, by which its calls come to these states."""
    told = {"t": 1, "decision": "approve", "steps": [1], "reason": None}
    return Said(
        expected, body, review(*(states or ("approved",))), "approval.received", told, **more
    )


async def say(store, lease, answer):
    """Give an answer to the run of a lease."""
    await store.reviews.say(*ids_of(lease), answer, user_id="ann")


async def test_turn_that_waits_is_read_with_all_that_was_made_before_it(any_store):
    """Its references lead to earlier turns, and a person is shown what has been made."""
    lease = await begun(any_store)
    await any_store.progress.record_turn(lease, turn(step()))
    done = step(status="succeeded", output={"text": "x"})
    await any_store.progress.record(lease, [(done, call_of(done))])
    await any_store.progress.record_turn(lease, turn(step(2), t=2))
    shown = review("asks", t=2)
    await any_store.leases.ask(lease, shown, None)
    waiting = await any_store.reviews.get(*ids_of(lease))
    assert (waiting.status, waiting.revision, waiting.answer_by) == ("awaiting_approval", 1, None)
    assert (waiting.turn.t, waiting.review) == (2, shown)
    assert [(made.n, made.status, made.output) for made in waiting.steps] == [
        (1, "succeeded", {"text": "x"})
    ]
    assert waiting.document.id == lease.run.id


async def test_turn_of_a_run_that_asks_nobody_has_no_review(any_store):
    """Nor has one of a run that has decided nothing yet; a run that is not there has none at all."""
    lease = await begun(any_store)
    waiting = await any_store.reviews.get(*ids_of(lease))
    assert (waiting.turn, waiting.review, waiting.revision, waiting.steps) == (None, None, 0, ())
    await any_store.progress.record_turn(lease, turn(step()))
    waiting = await any_store.reviews.get(*ids_of(lease))
    assert (waiting.turn.t, waiting.review) == (1, None)
    assert await code_of(any_store.reviews.get(lease.session.id, new_id("run"))) == "run_not_found"
    assert await code_of(say(any_store, lease, said(0))) == "invalid_state"


async def test_answer_lets_the_run_go_on_with_what_was_said(any_store):
    """Any worker takes it, and finds the review; all who follow are told."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    await woken(any_store)
    await say(any_store, lease, said(1))
    assert await woken(any_store) == [lease.run.id]
    run = await any_store.runs.get(*ids_of(lease))
    assert (run.status, run.plan_revision) == ("queued", 2)
    last = (await any_store.events.after(lease.session.id, 0, 100)).events[-1]
    told = {"t": 1, "decision": "approve", "steps": [1], "reason": None}
    assert (last.type, last.data) == ("approval.received", told)
    again = await any_store.leases.acquire(*ids_of(lease), "another")
    assert again.review == review("approved")
    [listed] = (await any_store.runs.list(lease.session.id, 10, None)).items
    assert listed.plan_revision == 2


async def test_answer_to_a_part_leaves_the_rest_to_be_asked(any_store):
    """The run goes on when nothing asks any more, and not before."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, "asks", "asks")
    await woken(any_store)
    await say(any_store, lease, said(1, "approved", "asks"))
    assert (await any_store.runs.get(*ids_of(lease))).status == "awaiting_approval"
    assert await woken(any_store) == []
    last = (await any_store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (last.type, last.data) == (
        "run.awaiting_approval", {"t": 1, "plan_revision": 2, "steps": [2]}
    )  # fmt: skip
    await say(any_store, lease, said(2, "approved", "rejected"))
    assert await woken(any_store) == [lease.run.id]


async def test_answer_that_comes_again_is_the_same_answer(any_store):
    """Its client may have lost the first one's; whatever has become of the run since."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, "asks", "asks")
    await say(any_store, lease, said(1, "approved", "asks"))
    await say(any_store, lease, said(2, "approved", "approved"))
    for revision, state in ((1, "asks"), (2, "approved")):
        await say(any_store, lease, said(revision, "approved", state))
    taken = await any_store.leases.acquire(*ids_of(lease), "another")
    await say(any_store, lease, said(2, "approved", "approved"))
    await any_store.progress.finish(taken, DONE)
    await say(any_store, lease, said(2, "approved", "approved"))
    assert (await event_types(any_store, lease.session.id)).count("approval.received") == 2


async def test_answer_whose_script_is_sent_twice_is_one_and_wakes_its_run(any_store, monkeypatch):
    """The first answer was lost, and the second one has to do: the rule is there once as well."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    await woken(any_store)
    script = any_store.backend.script

    async def resent(*arguments, **keywords):
        await script(*arguments, **keywords)
        return await script(*arguments, **keywords)

    monkeypatch.setattr(any_store.backend, "script", resent)
    await say(any_store, lease, said(1, remember=DENY))
    assert await woken(any_store) == [lease.run.id]
    session = await any_store.sessions.get(lease.session.id, "ann")
    assert (session.remembered, session.revision) == ([DENY], 1)
    assert (await event_types(any_store, lease.session.id)).count("approval.received") == 1


@pytest.mark.parametrize("body", [REJECT, EDIT])
async def test_answer_to_a_plan_that_is_another_by_now_is_refused(any_store, body):
    """Two approvers: the second one is told what there is; likewise one who has seen an older plan."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    await say(any_store, lease, said(1, "asks", body=PlanReplace(calls=EDIT.calls * 2)))
    with pytest.raises(AgenticError) as caught:
        await say(any_store, lease, said(1, "rejected", body=body))
    assert (caught.value.code, caught.value.context.actual) == ("precondition_failed", 2)
    assert (await any_store.reviews.get(*ids_of(lease))).review == review("asks")


async def test_answers_of_two_people_do_not_collide(any_store):
    """Whichever comes first counts, as a whole."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    both = [said(1), said(1, "rejected", body=REJECT)]
    given = await asyncio.gather(
        *(say(any_store, lease, one) for one in both), return_exceptions=True
    )
    refused = [error for error in given if error is not None]
    assert [error.code for error in refused] == ["precondition_failed"]
    stored = (await any_store.reviews.get(*ids_of(lease))).review
    assert stored == both[given.index(None)].review


async def test_answer_after_a_cancel_is_refused_and_changes_nothing(any_store):
    """What was cancelled does not come back; who has seen an older plan is told that first."""
    lease = await begun(any_store)
    following = document(lease.session.id)
    await any_store.runs.create(following, "enqueue")
    await ask_approval(any_store, lease)
    await woken(any_store)
    assert (await any_store.runs.cancel(*ids_of(lease))).status == "cancelled"
    assert await woken(any_store) == [following.id]
    assert await code_of(say(any_store, lease, said(1))) == "invalid_state"
    assert await code_of(say(any_store, lease, said(7))) == "precondition_failed"
    waiting = await any_store.reviews.get(*ids_of(lease))
    assert (waiting.status, waiting.review) == ("cancelled", review("asks"))
    assert await woken(any_store) == []


async def test_answer_to_a_run_that_waits_for_something_else_is_refused(any_store):
    """It went on, and asks a question now: that is no plan to be approved."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    await say(any_store, lease, said(1))
    again = await any_store.leases.acquire(*ids_of(lease), "another")
    await ask(any_store, again, t=2)
    assert await code_of(say(any_store, lease, said(2))) == "invalid_state"
    assert (await any_store.runs.get(*ids_of(lease))).status == "awaiting_input"


async def test_answer_to_a_run_that_is_not_there_is_refused(any_store, any_redis):
    """Nor does it bring back a part of a session that is gone."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease)
    await any_redis.delete(any_store.backend.keys.session(lease.session.id))
    assert await code_of(say(any_store, lease, said(1, remember=DENY))) == "run_not_found"
    assert await any_redis.keys("*:session") == []


async def test_answer_that_is_remembered_is_a_rule_of_the_session_once(any_store):
    """In the order in which they were said, and whichever way it is read."""
    lease = await begun(any_store)
    allow = Rule(path='a "b" ✓', effect="allow")
    await ask_approval(any_store, lease, "asks", "asks")
    for _ in range(2):
        await say(any_store, lease, said(1, "approved", "asks", remember=allow))
    await say(any_store, lease, said(2, "approved", "rejected", body=REJECT, remember=DENY))
    layers = await any_store.rules.for_run(lease.session.id, "ann")
    assert (layers.remembered, layers.session, layers.user) == ([allow, DENY], [], [])
    session = await any_store.sessions.get(lease.session.id, "ann")
    assert (session.remembered, session.revision) == ([allow, DENY], 2)


async def test_answer_that_would_be_one_rule_too_many_is_refused(any_store, monkeypatch):
    """As a whole: who wants it remembered would be asked again otherwise, and not know why."""
    monkeypatch.setattr(reviews, "MAX_RULES", 1)
    lease = await begun(any_store)
    await ask_approval(any_store, lease, "asks", "asks")
    await say(any_store, lease, said(1, "approved", "asks", remember=DENY))
    late = said(2, "approved", "approved", remember=DENY)
    assert await code_of(say(any_store, lease, late)) == "invalid_state"
    assert (await any_store.reviews.get(*ids_of(lease))).revision == 2
    await say(any_store, lease, said(2, "approved", "approved"))


async def test_answers_count_like_outputs(any_redis):
    """Any number of edits may come: what each leaves behind adds up, and a full run takes no more."""
    store = make_store(any_redis, "test", StoreConfig(max_run_output=2000))
    lease = await begun(store)
    await ask_approval(store, lease)
    codes = []
    for revision in range(1, 40):
        edited = said(revision, "asks", body=EDIT)
        try:
            await say(store, lease, edited)
        except AgenticError as error:
            codes.append(error.code)
            break
    assert codes == ["output_too_large"]
    assert (await store.reviews.get(*ids_of(lease))).revision == revision
    assert (await store.runs.cancel(*ids_of(lease))).status == "cancelled"


async def test_answer_whose_sender_died_before_it_woke_a_worker_is_found_by_the_reaper(
    store, redis
):
    """The reaper is told before the state changes, and looks within a lease: no run waits for days."""
    lease = await begun(store)
    await ask_approval(store, lease)
    await woken(store)
    member = RunRef.of(lease).member
    for index in ("test:running", "test:queued"):  # as the reaper does while it waits
        await redis.zrem(index, member)
    dying = DyingQueue(store.backend)
    await ReviewStore(store.backend, dying).say(*ids_of(lease), said(1), user_id="ann")
    assert dying.seen == ["awaiting_approval"]
    assert await woken(store) == []
    due = await redis.zscore("test:parked", member)
    assert due <= await server_time(redis) + store.backend.config.lease.total_seconds() * 1000
    await redis.zadd("test:parked", {member: 1})
    await store.reaper.reap()
    assert await woken(store) == [lease.run.id]


async def test_answered_run_is_another_workers_when_the_one_that_took_it_dies(store, redis):
    """Nothing of the review goes with a worker."""
    lease = await begun(store)
    await ask_approval(store, lease)
    await say(store, lease, said(1))
    taken = await store.leases.acquire(*ids_of(lease), "another")
    assert (await taken_over(store, redis, taken)).review == review("approved")


async def test_full_store_refuses_answers_and_cancels_the_runs_that_wait_for_them(real_redis):
    """Nothing new is taken; what is there can always be ended."""
    store = make_store(real_redis, "test", StoreConfig())
    lease = await begun(store)
    await ask_approval(store, lease)
    await real_redis.config_set("maxmemory", "1")
    assert await code_of(say(store, lease, said(1))) == "store_full"
    assert (await store.runs.cancel(*ids_of(lease))).status == "cancelled"
    await real_redis.config_set("maxmemory", "0")


async def test_answer_keeps_the_session_with_all_that_belongs_to_it(any_store, any_redis):
    """It may come in the session's last seconds, and nobody else may touch it for as long again."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, "asks", "asks")
    keys = await any_redis.keys(f"test:{{{lease.session.id}}}:*")
    for revision, states in ((1, ("approved", "asks")), (2, ("approved", "approved"))):
        for key in keys:
            await any_redis.expire(key, 30)
        await say(any_store, lease, said(revision, *states))
        assert min([await any_redis.ttl(key) for key in keys]) > 60
