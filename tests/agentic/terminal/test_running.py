"""Running and showing, and Ctrl-C meanwhile."""

import asyncio
import io
import os
import signal

import httpx
import pytest
from rich.console import Console

from agentic.terminal.prompt import Interrupted
from agentic.terminal.running import Order, run_and_show, stop_signals, until_stopped
from agentic.terminal.show import Display
from common.errors import ClientError, error
from common.plans import Turn
from common.runs import RunResult
from tests.agentic.fakes import (
    SESSION,
    Talking,
    a_delta,
    a_run,
    a_step,
    an_event,
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


@pytest.mark.parametrize(("text", "told"), [("I look.", "I look."), (None, "I …k.")])
async def test_a_hole_in_what_is_said_is_filled_from_the_run(connect, shown, text, told):
    """Pieces are not kept for those who come late, the text so far is."""
    orchestrator = Talking([a_delta("I "), a_delta("k.", 5), ENDED], text=text)
    _, printed = await shown(await connect(orchestrator))
    assert printed.splitlines()[0] == told


async def test_a_hole_in_what_was_said_is_filled_from_the_turn_that_it_has_become(connect, shown):
    """A short answer is stored before its first piece has come to a client that is a little late."""
    turn = Turn.model_validate({"t": 1, "text": "I look.", "decided_at": 0})
    orchestrator = Talking([a_delta("k.", 5), ENDED], turns=[turn])
    _, printed = await shown(await connect(orchestrator))
    assert printed.splitlines()[0] == "I look."


@pytest.mark.parametrize("late", [(), ("I ", "look.")])
async def test_what_was_said_before_anybody_listened_is_read_from_its_turn(connect, shown, late):
    """A quick model is through with its first turn by then; pieces that come late are not told again."""
    turn = Turn.model_validate({"t": 1, "text": "I look.", "decided_at": 0})
    decided = an_event(1, "turn.decided", t=1, calls=1, usage={"output_tokens": 3})
    pieces = [a_delta(text, offset) for text, offset in zip(late, (0, 2), strict=False)]
    step = an_event(2, "step.succeeded", **a_step())
    orchestrator = Talking([decided, *pieces, step, ENDED], turns=[turn])
    _, printed = await shown(await connect(orchestrator))
    assert printed.splitlines()[:2] == [
        "I look.",
        '  1  ok     look: read_file(path="a.txt")  2 ms',
    ]


async def test_what_comes_late_is_told_where_its_turn_cannot_be_read(connect, shown):
    """Then the pieces are all there is."""

    class Forgetful(Talking):
        async def handle_async_request(self, request):
            if request.url.path.endswith("/turns"):
                raise httpx.ReadError("lost")
            return await super().handle_async_request(request)

    decided = an_event(1, "turn.decided", t=1, calls=1, usage={"output_tokens": 3})
    _, printed = await shown(await connect(Forgetful([decided, a_delta("I look."), ENDED])))
    assert printed.splitlines()[0] == "I look."


async def test_turns_that_nobody_says_anything_in_are_not_read_for_ever(connect, shown):
    """Of a plan none is, and of a model that only calls the first ones: they hold all arguments."""
    usages = [None, *[{"output_tokens": 3}] * 6]
    decided = [an_event(t, "turn.decided", t=t, calls=1, usage=u) for t, u in enumerate(usages, 1)]
    orchestrator = Talking([*decided, ENDED])
    await shown(await connect(orchestrator))
    assert orchestrator.asked.count("turns") == 2


async def test_a_hole_that_cannot_be_read_ends_nothing(connect, shown):
    """It is a piece of text; the run is what matters."""

    class Forgetful(Talking):
        async def handle_async_request(self, request):
            if request.url.path.endswith("/turns"):
                reads.append(request)
                raise httpx.ReadError("lost")
            return await super().handle_async_request(request)

    reads = []
    run, printed = await shown(await connect(Forgetful([a_delta("k.", 5), ENDED])))
    assert (run.status, len(reads), printed.splitlines()[0]) == ("succeeded", 1, "…k.")


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
    orchestrator = Talking([an_event(2, kind, question="Which?"), None], run=waiting)
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


def test_nohup_keeps_its_meaning():
    """Who started the command with SIGHUP ignored wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert stop_signals() == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
