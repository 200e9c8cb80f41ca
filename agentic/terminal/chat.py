"""A conversation in the terminal: each line is a run in one session."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol

from agentic.api.client import AgenticClient
from agentic.terminal.asking import Asker
from agentic.terminal.person import Person
from agentic.terminal.prompt import Interrupted, Prompt
from agentic.terminal.running import Order, Place, go_on_and_show, run_and_show
from agentic.terminal.show import Display
from agentic.terminal.wording import WAITING
from common.errors import AgenticError
from common.runs import Run
from common.sessions import Session

HELP = """\
A line is what to do next; the session's earlier runs are remembered.
/model NAME  the model of the runs to come; without a name, the one there is
/session     which session and workspace this is
/quit        end (as Ctrl-D and a second Ctrl-C do); the session stays
Ctrl-C while a run works cancels it."""


class Around(Protocol):
    """What is done around each run, of a directory that it works on."""

    async def before(self) -> None:
        """Do what has to be done first."""
        ...

    async def after(self, run: Run) -> bool:
        """Do what follows on the run's end, or on leaving it waiting."""
        ...


class Chat:
    """Reads lines and runs them on the same terms, until the person leaves."""

    def __init__(
        self,
        client: AgenticClient,
        display: Display,
        prompt: Prompt,
        session: Session,
        terms: Order | None = None,
        around: Around | None = None,
    ) -> None:
        self._client = client
        self._display = display
        self._prompt = prompt
        self._decide = Asker(prompt).decide if prompt.is_terminal else None
        self._session = session
        self._terms = terms or Order()
        self._around = around
        self._waiting: Run | None = None
        self._place = Place()
        """Where that run waits."""

    async def talk(self) -> Run | None:
        """Take line by line until /quit, the last line, or Ctrl-C twice; return a run that waits then.

        Off a terminal nobody answers it: no further line is taken.
        """
        while not self._is_stuck and (line := self._line()) is not None:
            word, _, rest = line.strip().partition(" ")
            if word == "/quit":
                break
            if word.startswith("/"):
                self._command(word, rest.strip())
            elif word:
                await self._take(line.strip())
        return self._waiting

    @property
    def _is_stuck(self) -> bool:
        return self._waiting is not None and not self._prompt.is_terminal

    async def _take(self, goal: str) -> None:
        """Run a goal; what still waits is asked about before, for a session has one run at a time."""
        if (waiting := self._waiting) is not None:
            self._display.line(f"run {waiting.id} still waits: it comes first", "yellow")
            await self._do(self._go_on(waiting))
        if self._waiting is None:
            await self._do(self._run(goal))
        else:
            self._display.line(f"not run, for that one waits: {goal}", "yellow")

    def _line(self) -> str | None:
        try:
            return self._prompt.read("> ", remember=True)
        except Interrupted:
            self._display.line("Ctrl-C again, or Ctrl-D, ends the chat", "dim")
        try:
            return self._prompt.read("> ", remember=True)
        except Interrupted:
            return None

    def _command(self, word: str, rest: str) -> None:
        if word == "/help":
            self._display.line(HELP)
        elif word == "/session":
            self._display.line(f"{self._session.id} (workspace {self._session.workspace})")
        elif word == "/model":
            self._terms = replace(self._terms, model=rest or self._terms.model)
            self._display.line(f"model: {self._terms.model or 'the one of the deployment'}")
        else:
            self._display.line(f"there is no {word}; /help lists what there is", "yellow")

    async def _do(self, run: Coroutine[Any, Any, None]) -> None:
        """Have something run and shown; an error, or leaving it, ends that and not the chat."""
        running = asyncio.create_task(run)
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:  # the chat itself is to end
            running.cancel()
            await asyncio.wait({running})
            raise
        if running.cancelled():
            self._display.line("left before its end; it may still go on", "yellow")
        elif isinstance(error := running.exception(), AgenticError):
            self._display.error(error)
        else:
            running.result()  # any other exception is for who started us

    async def _run(self, goal: str) -> None:
        if self._around is not None:
            await self._around.before()
        self._place = Place()
        run = await run_and_show(
            self._client,
            self._display,
            replace(self._terms, goal=goal),
            session_id=self._session.id,
            ask=self._prompt.answer,
            decide=self._decide,
            place=self._place,
        )
        await self._shown(run)

    async def _go_on(self, run: Run) -> None:
        person = Person(self._client, self._display, run, self._prompt.answer, self._decide)
        await self._shown(await go_on_and_show(person, self._place))

    async def _shown(self, run: Run) -> None:
        self._waiting = run if run.status in WAITING else None
        if self._around is not None:
            await self._around.after(run)
