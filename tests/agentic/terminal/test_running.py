"""Running and showing, and Ctrl-C meanwhile."""

import asyncio
import io
import os
import signal
from contextlib import suppress

import httpx
import pytest
from rich.console import Console

from agentic.terminal.prompt import Interrupted, Stopped
from agentic.terminal.running import (
    Order,
    follow_and_show,
    run_and_show,
    stop_signals,
    until_stopped,
)
from agentic.terminal.show import Display
from common.errors import ClientError, SystemFault, error
from common.runs import RunResult
from tests.agentic.fake_plans import Waiting
from tests.agentic.fakes import (
    RUN_ID,
    SESSION,
    Talking,
    a_run,
    a_step,
    an_event,
    problem,
    stream,
)  # fmt: skip

ASKS = an_event(2, "run.awaiting_input", question="Which?")
ENDED = an_event(9, "run.succeeded")


class Orchestrator(httpx.AsyncBaseTransport):
    """One run, interrupted once at the path given; it ends when the cancel has come."""

    def __init__(self, cancel: httpx.Response | Exception, end: str, interrupt="/events"):
        self.cancelled = asyncio.Event()
        self._cancel = cancel
        self._end = end
        self._interrupt = interrupt

    async def handle_async_request(self, request):
        """Answer each route."""
        path = request.url.path
        if path.endswith(self._interrupt):
            os.kill(os.getpid(), signal.SIGINT)
        if path.endswith("/events"):
            return httpx.Response(200, content=self._events())
        if path.endswith("/cancel"):
            self.cancelled.set()
            if isinstance(self._cancel, Exception):
                raise self._cancel
            return self._cancel
        if path.endswith("/sessions"):
            return httpx.Response(201, content=SESSION.model_dump_json())
        ended = a_run(status=self._end, result=RunResult(answer="Done.", changes=[]))
        return httpx.Response(200, content=ended.model_dump_json())

    async def _events(self):
        async for chunk in stream(an_event(1, "step.succeeded", **a_step())).aiter_bytes():
            yield chunk
        await self.cancelled.wait()
        async for chunk in stream(an_event(2, f"run.{self._end}")).aiter_bytes():
            yield chunk


@pytest.fixture
def shown():
    """Run on an orchestrator; return the run and what was printed."""
    file = io.StringIO()

    async def run(client, **more):
        display = Display(Console(file=file, width=200))
        ended = await run_and_show(client, display, Order(goal="list"), workspace="demo", **more)
        return ended, file.getvalue()

    return run


@pytest.mark.parametrize("moment", ["/sessions", "/runs", "/events"])
async def test_ctrl_c_cancels_the_run_and_waits_for_its_end(connect, shown, moment):
    """What was done stays done and is shown; a run in the making does not go on unseen."""
    cancelling = httpx.Response(202, content=a_run(status="running").model_dump_json())
    orchestrator = Orchestrator(cancelling, "cancelled", moment)
    run, text = await shown(await connect(orchestrator))
    assert orchestrator.cancelled.is_set()
    assert run.status == "cancelled"
    assert "look: read_file" in text


async def test_a_cancel_that_fails_is_told_and_following_goes_on(connect, shown):
    """The run's end is still worth waiting for; a second Ctrl-C leaves."""
    orchestrator = Orchestrator(httpx.ConnectError("down"), "succeeded")
    run, text = await shown(await connect(orchestrator))
    assert run.status == "succeeded"
    assert "error: The orchestrator cannot be reached [unavailable]" in text
    assert "Done." in text


async def test_a_question_is_asked_and_the_answer_sent(connect, shown):
    """And the run is followed to its end."""
    orchestrator = Talking([ASKS, None, ENDED])
    asked = []

    def ask(question):
        asked.append(question)
        return "That one."

    run, printed = await shown(await connect(orchestrator), ask=ask)
    assert (asked, orchestrator.said("messages")) == (["Which?"], ["That one."])
    assert (run.status, printed.splitlines()[0]) == ("succeeded", "question: Which?")


async def test_a_question_that_a_gap_tells_is_asked(connect, shown):
    """The event itself was trimmed."""
    waiting = a_run(status="awaiting_input", finished_at=None, question="Which?")
    gap = an_event(5, "gap", from_seq=1, to_seq=5, run=waiting.model_dump(mode="json"))
    orchestrator = Talking([gap, None, ENDED])
    await shown(await connect(orchestrator), ask=lambda question: f"{question} That one.")
    assert orchestrator.said("messages") == ["Which? That one."]


@pytest.mark.parametrize("ask", [None, lambda _question: None])
@pytest.mark.parametrize("kind", ["run.awaiting_input", "run.awaiting_approval"])
async def test_a_run_that_nobody_answers_is_left_waiting(connect, shown, ask, kind):
    """Waiting costs it nothing; the command has to end."""
    waiting = a_run(status=kind.removeprefix("run."), finished_at=None)
    event = an_event(2, kind, question="Which?", t=1, plan_revision=1, steps=[1])
    orchestrator = Waiting(events=[event, None], run=waiting)
    run, _ = await shown(await connect(orchestrator), ask=ask)
    assert run.status == waiting.status
    assert orchestrator.said("cancel") == []


async def test_ctrl_c_at_a_question_cancels_the_run(connect, shown):
    """There is nothing else that it could mean."""

    def ask(_question):
        raise Interrupted

    orchestrator = Talking(
        [ASKS, None, an_event(3, "run.cancelled")], run=a_run(status="cancelled")
    )
    run, _ = await shown(await connect(orchestrator), ask=ask)
    assert run.status == "cancelled"
    assert len(orchestrator.said("cancel")) == 1


async def test_an_answer_that_comes_too_late_is_told_and_the_run_followed(connect, shown):
    """It was cancelled from elsewhere while somebody typed."""
    orchestrator = Talking([ASKS, ENDED])
    orchestrator.refusal = error("invalid_state", "The run has ended")
    run, printed = await shown(await connect(orchestrator), ask=lambda _: "That one.")
    assert run.status == "succeeded"
    assert "The run has ended [invalid_state]" in printed


async def test_an_answer_that_is_refused_ends_following(connect, shown):
    """The run waits still, and nobody would ask again."""
    orchestrator = Talking([ASKS, ENDED])
    orchestrator.refusal = error("forbidden", "no")
    with pytest.raises(ClientError, match="forbidden"):
        await shown(await connect(orchestrator), ask=lambda _: "That one.")


async def deciding(*_):
    """What a person's answer may end in."""
    raise Stopped


async def refusing(client, display, plan):
    """The server has gone."""
    raise error("unavailable", "down")


@pytest.mark.parametrize(("decide", "ended"), [(deciding, Stopped), (refusing, SystemFault)])
async def test_however_a_run_is_left_waiting_it_is_said_how_to_answer(connect, decide, ended):
    """Who comes back finds the command in the scrollback, or the log."""
    file = io.StringIO()
    client, display = await connect(Waiting()), Display(Console(file=file, width=200))
    with pytest.raises(ended):
        await run_and_show(client, display, Order(goal="x"), workspace="w", decide=decide)
    assert f"answer it with: agentic approve {SESSION.id}/{RUN_ID}, or agentic" in file.getvalue()


async def test_who_leaves_a_run_for_later_while_the_server_is_away_is_told_as_well(connect):
    """The run itself cannot be read any more."""

    class Gone(Waiting):
        async def handle_async_request(self, request):
            if request.method == "GET" and request.url.path.endswith(RUN_ID):
                return problem(error("unavailable", "down"))
            return await super().handle_async_request(request)

    file = io.StringIO()
    client, display = await connect(Gone()), Display(Console(file=file, width=200))
    with pytest.raises(SystemFault):
        await run_and_show(client, display, Order(goal="x"), workspace="w")
    assert f"answer it with: agentic approve {SESSION.id}/{RUN_ID}, or agentic" in file.getvalue()


async def test_ctrl_c_at_a_run_that_is_followed_says_how_to_answer(connect):
    """It waits on: who looks on has not started it."""

    async def interrupted(*_):
        raise Interrupted

    file = io.StringIO()
    client, display = await connect(Waiting()), Display(Console(file=file, width=200))
    with pytest.raises(Interrupted):
        await follow_and_show(client, display, a_run(), ask=None, decide=interrupted)
    assert f"answer it with: agentic approve {SESSION.id}/{RUN_ID}, or agentic" in file.getvalue()


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_stop_signal_cancels_the_work(number):
    """Its clean-up runs: no service is left behind when a CI job or a terminal is closed."""
    cleaned = []

    async def work():
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)
        return 0

    with pytest.raises(asyncio.CancelledError):
        await until_stopped(work())
    assert cleaned == [True]


def terminated(_waiting):
    """Ask the process to end, as service managers do."""
    os.kill(os.getpid(), signal.SIGTERM)


def interrupted(waiting):
    """Do what Ctrl-C comes to: it cancels who waits for the work, and the work with it."""
    waiting.cancel()


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("first", [terminated, interrupted])
async def test_a_second_stop_signal_does_not_cut_the_clean_up_short(first):
    """Service managers send one to each process of a group, and a person may be impatient."""
    cleaned, begun = [], asyncio.Event()

    async def work():
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            for _ in range(20):  # turns of the loop, in which the signal arrives
                await asyncio.sleep(0.001)
            cleaned.append(True)
        return 0

    waiting = asyncio.create_task(until_stopped(work()))
    await begun.wait()
    first(waiting)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cleaned == [True]


@pytest.mark.usefixtures("hangup")
async def test_a_stop_signal_is_heard_while_a_timeout_of_the_work_runs_out():
    """The task is being cancelled then, by nobody who wants it to end."""

    async def work():
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                try:
                    await asyncio.Event().wait()
                finally:
                    os.kill(os.getpid(), signal.SIGTERM)
                    await asyncio.Event().wait()
        return 0

    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await until_stopped(work())


def test_nohup_keeps_its_meaning():
    """Who started the command with SIGHUP ignored wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert stop_signals() == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
