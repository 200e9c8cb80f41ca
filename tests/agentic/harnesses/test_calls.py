"""Calls: one-step runs, what they give, and how long anybody waits for them."""

import asyncio
import json

import pytest

from agentic.harnesses.calls import HELD_BACK, Calls
from agentic.harnesses.opening import Opening
from common.errors import AgenticError, error
from tests.agentic.fake_plans import AWAITS
from tests.agentic.fakes import RUN_ID, a_run, an_event, stream
from tests.agentic.harnesses.fakes import Orchestrator, a_called_run

LOST = error("state_lost", "what happened")


@pytest.fixture
async def prepare(connect):
    """Calls to an orchestrator that answers so."""

    async def make(*answers, **terms):
        orchestrator = Orchestrator(*answers)
        client = await connect(orchestrator)
        return Calls(client, Opening(client), **terms), orchestrator

    return make


async def test_a_call_is_a_run_of_one_step_that_is_waited_for(prepare):
    """One request for it all; behind another call of the session it stands in line."""
    calls, orchestrator = await prepare({"x": 1}, access="read_only", approval="always")
    assert await calls.make("read_file", path="a") == {"x": 1}
    assert orchestrator.calls == [("read_file", {"path": "a"})]
    [request] = orchestrator.posted("/runs")
    body = json.loads(request.content)
    assert request.headers["prefer"] == f"wait={HELD_BACK}"
    assert [body[name] for name in ("access", "approval", "on_busy")] == [
        "read_only",
        "always",
        "enqueue",
    ]


async def test_each_call_has_a_key_of_its_own(prepare):
    """The same call again is another one: under one key it would be made once."""
    calls, orchestrator = await prepare({})
    await calls.make("write_file", path="a")
    await calls.make("write_file", path="a")
    keys = {request.headers["idempotency-key"] for request in orchestrator.posted("/runs")}
    assert len(keys) == 2


@pytest.mark.parametrize("code", ["path_not_found", "denied_by_rule", "rejected"])
async def test_what_a_call_failed_with_is_raised(prepare, code):
    """With its hint, and what became of it."""
    calls, _ = await prepare(error(code, "what happened", hint="do this", path="a"))
    with pytest.raises(AgenticError) as caught:
        await calls.make("read_file", path="a")
    told = caught.value
    assert (told.code, told.hint, told.context.path) == (code, "do this", "a")


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (a_run(status="failed", error=LOST.problem("orchestrator", None)), "state_lost"),
        (a_run(status="cancelled"), "invalid_state"),
    ],
    ids=["failed", "cancelled"],
)
async def test_a_run_that_ended_without_its_call_is_an_error(prepare, run, code):
    """It must not look like an output."""
    calls, _ = await prepare(run)
    with pytest.raises(AgenticError) as caught:
        await calls.make("read_file", path="a")
    assert caught.value.code == code


async def test_a_run_that_takes_longer_is_followed_to_its_end(prepare):
    """The answer is held back for a while only."""
    calls, orchestrator = await prepare(a_run(status="running"))
    orchestrator.streams = [_body(an_event(1, "run.started"), an_event(2, "run.succeeded"))]
    orchestrator.later = a_called_run({"x": 1})
    assert await calls.make("read_file", path="a") == {"x": 1}


async def test_a_person_has_the_time_that_they_are_given(prepare):
    """An answer in time is one, however long the call takes after it."""
    calls, orchestrator = await prepare(a_run(status="awaiting_approval"), patience=0.2)
    is_late = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, is_late.set)
    events = [AWAITS, an_event(3, "approval.received", decision="approve")]
    orchestrator.streams = [_body(*events, is_late, an_event(4, "run.succeeded"))]
    orchestrator.later = a_called_run({"x": 1})
    assert await calls.make("write_file", path="a") == {"x": 1}
    assert not orchestrator.posted("/cancel")


GAP = an_event(2, "gap", run={"status": "awaiting_approval"})


@pytest.mark.parametrize("has_answered", [False, True])
@pytest.mark.parametrize("asks", [AWAITS, GAP], ids=["asks", "gap"])
async def test_a_run_that_nobody_answers_is_cancelled(prepare, asks, has_answered):
    """Where the answer came first after all, what was done is told: it is done."""
    calls, orchestrator = await prepare(a_run(status="awaiting_approval"), patience=0.05)
    never = asyncio.Event()
    orchestrator.streams = [
        _body(asks, never),
        _body(an_event(3, "run.succeeded" if has_answered else "run.cancelled")),
    ]
    orchestrator.later = a_called_run({"x": 1}) if has_answered else a_run(status="cancelled")
    if has_answered:
        assert await calls.make("write_file", path="a") == {"x": 1}
    else:
        with pytest.raises(AgenticError) as caught:
            await calls.make("write_file", path="a")
        told = caught.value
        assert (told.code, told.outcome) == ("deadline_exceeded", "not_executed")
        assert RUN_ID in told.detail
    assert len(orchestrator.posted("/cancel")) == 1


async def test_a_cancelled_caller_has_its_run_cancelled_that_was_only_being_started(connect):
    """Which one it is comes with the answer: a run that asks a person would wait for ever."""
    asked, goes_on = asyncio.Event(), asyncio.Event()

    class Slow(Orchestrator):
        async def handle_async_request(self, request):
            if request.url.path.endswith("/runs"):
                asked.set()
                await goes_on.wait()
            return await super().handle_async_request(request)

    orchestrator = Slow(a_run(status="awaiting_approval"))
    orchestrator.later = a_run(status="cancelled")
    client = await connect(orchestrator)
    caller = asyncio.create_task(Calls(client, Opening(client)).make("write_file", path="a"))
    await asked.wait()
    caller.cancel()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert len(orchestrator.posted("/cancel")) == 1


async def _body(*parts):
    """The bytes of a stream; an Event among the parts is waited for there."""
    for part in parts:
        if isinstance(part, asyncio.Event):
            await part.wait()
        else:
            async for piece in stream(part).stream:
                yield piece
