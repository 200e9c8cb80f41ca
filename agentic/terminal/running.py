"""Runs something and shows it, until its end or a signal: what the commands share."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agentic.api.client import AgenticClient
from agentic.terminal.listening import Listener
from agentic.terminal.person import Ask, Decide, Person, awaited
from agentic.terminal.prompt import Interrupted
from agentic.terminal.show import Display
from common.approvals.reviews import Policy
from common.context import Access
from common.errors import AgenticError
from common.plans import Plan
from common.runs import Budget, Run
from common.tools import JsonSchema


@dataclass
class Place:
    """How far a run was shown: by the number of its last event before what nobody has answered."""

    seq: int = 0


@dataclass(frozen=True)
class Order:
    """What is to be run: a goal or a plan, and what it has to keep to."""

    goal: str | None = None
    plan: Plan | None = None
    model: str | None = None
    instructions: str | None = None
    tools: tuple[str, ...] | None = None
    budget: Budget | None = None
    output_schema: JsonSchema | None = None
    approval: Policy | None = None
    access: Access | None = None

    async def start(self, client: AgenticClient, session_id: str) -> Run:
        """Start the run in a session."""
        return await client.start_run(
            session_id,
            goal=self.goal,
            plan=self.plan,
            model=self.model,
            instructions=self.instructions,
            tools=self.tools,
            budget=self.budget,
            output_schema=self.output_schema,
            approval=self.approval,
            access=self.access,
        )


async def run_and_show(
    client: AgenticClient,
    display: Display,
    order: Order,
    *,
    workspace: str | None = None,
    session_id: str | None = None,
    ask: Ask | None = None,
    decide: Decide | None = None,
    place: Place | None = None,
) -> Run:
    """Run an order in the session, or one of its own; print it live, and return it ended.

    It is returned waiting where it has a question, or a turn to decide, that nobody answers: `place` says
    where. The first Ctrl-C cancels the run and waits for its end; the second leaves at once:
    asyncio.CancelledError.
    """
    interrupted = asyncio.Event()
    with _noted(interrupted):
        session_id = session_id or (await client.create_session(workspace)).id
        run = await order.start(client, session_id)
        person = Person(client, display, run, ask, decide)
        return await _to_its_end(person, interrupted, place)


async def go_on_and_show(person: Person, place: Place) -> Run:
    """Ask again for what a run waits for since `place`, and print it from there on, likewise."""
    interrupted = asyncio.Event()
    with _noted(interrupted):
        return await _to_its_end(person, interrupted, place)


async def _to_its_end(person: Person, interrupted: asyncio.Event, place: Place | None) -> Run:
    client, display, run = person.client, person.display, person.run
    cancelling = asyncio.create_task(_cancel_when(interrupted, client, run, display))
    try:
        return await _shown(person, interrupted, place or Place())
    finally:
        cancelling.cancel()


async def follow_and_show(
    client: AgenticClient,
    display: Display,
    run: Run,
    *,
    ask: Ask | None,
    decide: Decide | None,
) -> Run:
    """Print a run from its first event on, likewise; Ctrl-C leaves it alone."""
    return await _shown(Person(client, display, run, ask, decide), None, Place())


async def _shown(person: Person, interrupted: asyncio.Event | None, place: Place) -> Run:
    """Print a run and what came of it; Ctrl-C at a question sets the event, or leaves."""
    client, display, run = person.client, person.display, person.run
    status = ""
    try:
        status = await _follow(person, interrupted, place)
        display.close()
        ended = await client.run(run.session_id, run.id)
    except AgenticError:
        display.left_waiting(run, status)
        raise
    finally:
        display.close()
    display.result(ended)
    return ended


async def _follow(person: Person, interrupted: asyncio.Event | None, place: Place) -> str:
    """Show the run until it has ended, or waits for what nobody here gives it: its status then."""
    client, display, run = person.client, person.display, person.run
    display.forget()
    listener = Listener(client, display, run)
    async for event in client.events(run.session_id, run.id, place.seq):
        await listener.show(event)
        try:
            if not await person.serves(event):
                return awaited(event)
        except Interrupted:
            if interrupted is None:
                display.left_waiting(run, awaited(event))
                raise
            interrupted.set()
        place.seq = event.seq or place.seq
    return ""


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
    doing, is_asked = asyncio.create_task(work), False
    caller = asyncio.current_task()

    def stop() -> None:
        nonlocal is_asked
        if not (is_asked or (caller and caller.cancelling())):  # else the clean-up is cut short
            doing.cancel()
        is_asked = True

    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return await doing


def stop_signals() -> list[signal.Signals]:
    """Return the signals that end the command; nohup has SIGHUP ignored, and it stays so."""
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignores_hangup else [signal.SIGTERM, signal.SIGHUP]
