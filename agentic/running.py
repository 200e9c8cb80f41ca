"""Runs something and shows it, until its end or a signal: what the commands share."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from agentic.client import AgenticClient
from agentic.show import Display
from common.errors import AgenticError
from common.plans import Plan
from common.runs import Run


async def run_and_show(
    client: AgenticClient,
    display: Display,
    *,
    workspace: str | None,
    goal: str | None = None,
    plan: Plan | None = None,
) -> Run:
    """Run a goal or a plan in a session of its own, print it live, and return it ended.

    The first Ctrl-C cancels the run and waits for its end; the second leaves at once.
    """
    interrupted = asyncio.Event()
    with _noted(interrupted):
        session = await client.create_session(workspace)
        run = await client.start_run(session.id, goal=goal, plan=plan)
        cancelling = asyncio.create_task(_cancel_when(interrupted, client, run, display))
        try:
            async for event in client.events(session.id, run.id):
                display.event(event)
        finally:
            cancelling.cancel()
            display.close()
    ended = await client.run(session.id, run.id)
    display.result(ended)
    return ended


@contextmanager
def _noted(interrupted: asyncio.Event) -> Iterator[None]:
    """Note the first Ctrl-C in the event; every further one cancels the caller's task.

    The interpreter's own KeyboardInterrupt strikes anywhere: in a cancel scope of the HTTP client's
    it left the loop spinning for ever.
    """
    loop, following = asyncio.get_running_loop(), asyncio.current_task()
    assert following is not None, "a signal handler needs a task to cancel"  # noqa: S101

    def note() -> None:
        if interrupted.is_set():
            following.cancel()
        interrupted.set()

    loop.add_signal_handler(signal.SIGINT, note)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _cancel_when(
    interrupted: asyncio.Event, client: AgenticClient, run: Run, display: Display
) -> None:
    await interrupted.wait()
    try:
        await client.cancel_run(run.session_id, run.id)
    except AgenticError as error:
        display.error(error)  # the run goes on, and so does following it


async def until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """Do the work; SIGTERM or a closed terminal cancel it, so that no service is left behind."""
    doing = asyncio.ensure_future(work)
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, doing.cancel)
    return await doing


def stop_signals() -> list[signal.Signals]:
    """Return the signals that end the command; nohup has SIGHUP ignored, and it stays so."""
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignores_hangup else [signal.SIGTERM, signal.SIGHUP]
