"""Answers that come at the same time, too late, or not at all."""

import asyncio
import hashlib
from datetime import timedelta

import pytest

from agentic import AgenticClient
from common.approvals.reviews import EditedCall
from common.errors import AgenticError
from orchestrator.store.server.embedded import embedded_server
from tests.system.approvals.asking import (
    append,
    approve,
    asking,
    code_of,
    edit,
    outcomes,
    plan_of,
    reject,
    write,
)
from tests.system.conversation.talking import started
from tests.system.services import execution_environment, orchestrator

ROUNDS = 40
PATIENCE = 2
"""Seconds that a run waits for an answer, where it does not wait for ever."""
SOON = timedelta(seconds=5)
"""After that deadline."""
EDITED = EditedCall(n=1, arguments={"path": "log", "content": "edited\n"})


@pytest.fixture
async def urls(tmp_path):
    """Two orchestrators on one store, where nobody's patience is endless."""
    async with embedded_server(tmp_path / "redis") as server:
        execution = execution_environment(tmp_path)
        env = {
            "ORCHESTRATOR_REDIS_URL": server.url,
            "ORCHESTRATOR_API_KEYS": ",".join(map(_entry, ("ann", "bob"))),
        }
        made = [orchestrator(tmp_path / name, execution, **env) for name in ("one", "two")]
        with started(execution, *made):
            yield [service.url for service in made]


def _entry(user):
    return f"{hashlib.sha256(user.encode()).hexdigest()}:{user}"


async def answered(answering):
    """Return the code of an answer's refusal, or `accepted`."""
    try:
        await answering
    except AgenticError as refusal:
        return refusal.code
    return "accepted"


async def test_of_two_answers_to_one_plan_one_is_taken_whichever_replicas_get_them(urls):
    """Many rounds: the other gets a 412, and what was said first is what happens."""
    async with AgenticClient(urls[0], "ann") as one, AgenticClient(urls[1], "ann") as two:
        for n in range(ROUNDS):
            run, shown = await asking(one, append("log", f"{n}\n"), on_error="continue")
            told = await asyncio.gather(
                answered(approve(one, shown)), answered(reject(two, shown, reason="no"))
            )
            assert sorted(told) == ["accepted", "precondition_failed"]
            ended = await one.wait(run.session_id, run.id)
            assert outcomes(ended) == ["succeeded" if told[0] == "accepted" else "rejected"]


async def test_an_answer_to_a_plan_that_was_edited_since_is_refused_with_what_is_there(urls):
    """Nobody approves what they have not seen; the answer that was given is to nothing else."""
    async with AgenticClient(urls[0], "ann") as one, AgenticClient(urls[1], "ann") as two:
        run, shown = await asking(one, append("log", "theirs\n"))
        edited = await edit(two, shown, EDITED)
        with pytest.raises(AgenticError) as refusal:
            await approve(one, shown)
        assert refusal.value.code == "precondition_failed"
        assert refusal.value.context.actual == edited.plan_revision
        assert (await one.run(run.session_id, run.id)).status == "awaiting_approval"
        await approve(one, await one.plan(run.session_id, run.id))
        ended = await one.wait(run.session_id, run.id)
        assert ended.steps[0].arguments == EDITED.arguments


async def test_an_answer_that_is_said_again_is_the_same_answer_wherever_and_whenever(urls):
    """A client that did not hear of it asks again, also when all is done."""
    async with AgenticClient(urls[0], "ann") as one, AgenticClient(urls[1], "ann") as two:
        run, shown = await asking(one, append("log", "1\n"))
        await asyncio.gather(*(approve(client, shown) for client in (one, two) * 5))
        ended = await one.wait(run.session_id, run.id)
        assert (await approve(two, shown)).status == "succeeded"
        assert outcomes(ended) == ["succeeded"]
        assert ended.result.changes[0].size == 2


async def test_what_was_cancelled_while_it_waited_takes_no_answer_and_nothing_of_it_happens(urls):
    """409, not 412: the plan is the one that was seen, and nothing waits."""
    async with AgenticClient(urls[0], "ann") as one, AgenticClient(urls[1], "ann") as two:
        run, shown = await asking(one, append("log", "1\n"))
        await two.cancel_run(run.session_id, run.id)
        ended = await one.wait(run.session_id, run.id)
        assert (ended.status, ended.steps, ended.result) == ("cancelled", [], None)
        assert await code_of(approve(one, shown)) == "invalid_state"
        assert await code_of(edit(two, shown, EDITED)) == "invalid_state"
        assert await code_of(one.files.info(run.session_id, "log")) == "path_not_found"


async def test_an_answer_and_a_cancel_at_once_leave_the_run_done_or_cancelled_never_both(urls):
    """Many rounds: a cancelled run has done nothing, whatever its approver was told."""
    async with AgenticClient(urls[0], "ann") as one, AgenticClient(urls[1], "ann") as two:
        for n in range(ROUNDS // 2):
            run, shown = await asking(one, append("log", f"{n}\n"))
            cancelling = two.cancel_run(run.session_id, run.id)
            told, _ = await asyncio.gather(answered(approve(one, shown)), answered(cancelling))
            ended = await one.wait(run.session_id, run.id)
            assert (told, ended.status) in {
                ("accepted", "succeeded"), ("accepted", "cancelled"), ("invalid_state", "cancelled")
            }  # fmt: skip
            effects = [step for step in ended.steps if step.status == "succeeded"]
            is_there = await answered(one.files.info(run.session_id, "log")) == "accepted"
            assert is_there == bool(effects)


async def test_another_user_has_nothing_to_say(urls):
    """Nor to see: the session is not theirs."""
    async with AgenticClient(urls[0], "ann") as ann, AgenticClient(urls[1], "bob") as bob:
        run, shown = await asking(ann, append("log", "1\n"))
        where = run.session_id, run.id
        for refused in (approve(bob, shown), edit(bob, shown, EDITED), bob.plan(*where)):
            assert await code_of(refused) == "session_not_found"
        assert (await ann.run(*where)).status == "awaiting_approval"


async def test_a_run_that_nobody_answers_fails_in_time_says_why_and_lets_the_next_one_go_on(
    services,
):
    """By `ORCHESTRATOR_APPROVAL_TIMEOUT`; nothing of what it asked for has happened."""
    stack = services(orchestrator_env={"ORCHESTRATOR_APPROVAL_TIMEOUT": str(PATIENCE)})
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        run, shown = await asking(client, write("x", "1"), session=session)
        after = await client.start_run(
            session.id, plan=plan_of(write("y", "1")), on_busy="enqueue", approval="never"
        )
        ended, following = [await client.wait(session.id, each.id) for each in (run, after)]
        assert (ended.status, ended.error.code) == ("failed", "deadline_exceeded")
        assert ended.error.outcome == "not_executed"
        assert shown.answer_by is not None
        assert shown.answer_by <= ended.finished_at < shown.answer_by + SOON
        assert await code_of(approve(client, shown)) == "invalid_state"
    assert following.status == "succeeded"
    assert [path.name for path in stack.demo.iterdir()] == ["y"]
