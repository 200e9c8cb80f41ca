"""A conversation in the terminal: each line is a run in one session."""

import asyncio
from dataclasses import replace
from typing import Protocol

from agentic.api.client import AgenticClient
from agentic.terminal.asking import Asker
from agentic.terminal.prompt import Interrupted, Prompt
from agentic.terminal.running import Order, run_and_show
from agentic.terminal.show import Display
from common.errors import AgenticError
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

    async def after(self) -> bool:
        """Do what follows on the run's end."""
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
        self._session = session
        self._terms = terms or Order()
        self._around = around

    async def talk(self) -> None:
        """Take line by line until /quit, the last line, or Ctrl-C twice."""
        while (line := self._line()) is not None:
            word, _, rest = line.strip().partition(" ")
            if word == "/quit":
                return
            if word.startswith("/"):
                self._command(word, rest.strip())
            elif word:
                await self._run(line.strip())

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

    async def _run(self, goal: str) -> None:
        """Run a goal and show it; an error, or leaving it, ends the run and not the chat."""
        order = replace(self._terms, goal=goal)
        running = asyncio.create_task(self._run_and_show(order))
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

    async def _run_and_show(self, order: Order) -> None:
        if self._around is not None:
            await self._around.before()
        await run_and_show(
            self._client,
            self._display,
            order,
            session_id=self._session.id,
            ask=self._prompt.answer,
            decide=Asker(self._prompt).decide if self._prompt.is_terminal else None,
        )
        if self._around is not None:
            await self._around.after()
