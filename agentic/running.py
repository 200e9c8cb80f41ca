"""Runs something on an orchestrator and shows it: what `agentic run` and the demo share."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from agentic.client import AgenticClient
from agentic.show import Display
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
    session = await client.create_session(workspace)
    run = await client.start_run(session.id, goal=goal, plan=plan)
    try:
        with _cancel_on_interrupt(client, run):
            async for event in client.events(session.id, run.id):
                display.event(event)
        ended = await client.run(session.id, run.id)
    finally:
        display.close()
    display.result(ended)
    return ended


@contextmanager
def _cancel_on_interrupt(client: AgenticClient, run: Run) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    cancelling: list[asyncio.Task[Run]] = []

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        cancelling.append(asyncio.create_task(client.cancel_run(run.session_id, run.id)))

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
