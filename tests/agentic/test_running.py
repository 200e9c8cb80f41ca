"""Running and showing, and Ctrl-C meanwhile."""

import asyncio
import io
import os
import signal

import httpx
import pytest
from rich.console import Console

from agentic.running import Order, run_and_show, stop_signals, until_stopped
from agentic.show import Display
from common.runs import RunResult
from tests.agentic.fakes import SESSION, a_run, a_step, an_event, stream


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

    async def run(client):
        display = Display(Console(file=file, width=200))
        ended = await run_and_show(client, display, Order(goal="list"), workspace="demo")
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
