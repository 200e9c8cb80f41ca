"""Who is asked for what a run needs to go on: an answer to its question, a word on its turn."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agentic.api.client import AgenticClient
from agentic.terminal.output import OutputError
from agentic.terminal.plans import show_calls
from agentic.terminal.prompt import Interrupted
from agentic.terminal.show import Display
from common.approvals.reviews import TurnPlan
from common.errors import ClientError
from common.runs import Event, Run

Ask = Callable[[str], str | None]
"""Gets a person's answer to a question; None: nobody is there. Raises Interrupted at Ctrl-C."""
Decide = Callable[[AgenticClient, Display, TurnPlan], Awaitable[bool]]
"""Gets a turn that waits decided; False: it is left waiting. Raises Interrupted at Ctrl-C."""


@dataclass(frozen=True)
class Person:
    """Who is asked, where somebody is there, for what a run needs to go on."""

    client: AgenticClient
    display: Display
    run: Run
    ask: Ask | None
    decide: Decide | None

    async def serves(self, event: Event) -> bool:
        """Get the run what it waits for from this event on; False where nobody gives it.

        What ends the command meanwhile leaves the run waiting: how to answer it is said.
        """
        try:
            return await self._serves(event)
        except Interrupted:
            raise  # which ends the run, or not
        except BaseException:
            with suppress(OutputError):  # of a terminal that is gone
                self.display.left_waiting(self.run, awaited(event))
            raise

    async def _serves(self, event: Event) -> bool:
        question = question_of(event)
        if question is not None:
            answer = None if self.ask is None else self.ask(question)
            if answer is not None:
                await self._send(answer)
            return answer is not None
        is_asked = awaited(event) == "awaiting_approval"
        return not is_asked or await self._decides(event.data.get("t"))

    async def _send(self, text: str) -> None:
        try:
            await self.client.send(self.run.session_id, self.run.id, text)
        except ClientError as error:
            if error.code != "invalid_state":
                raise
            self.display.error(error)  # it was cancelled meanwhile: its end is going to be told

    async def _decides(self, t: int | None) -> bool:
        """Have the turn decided, unless it was meanwhile: events tell of what was, the plan of what is.

        A later turn is not decided before what was said in it is shown.
        """
        plan = await self.client.plan(self.run.session_id, self.run.id)
        if not plan.is_waiting or t not in (None, plan.t):
            return True
        if self.decide is not None:
            return await self.decide(self.client, self.display, plan)
        show_calls(self.display, plan.calls)
        return False


def question_of(event: Event) -> str | None:
    """Return the question that a run waits with from this event on."""
    if event.type == "run.awaiting_input":
        return str(event.data.get("question") or "")
    run = _run_after(event)
    return str(run.get("question") or "") if run.get("status") == "awaiting_input" else None


def awaited(event: Event) -> str:
    """Return the status of the run from this event on, where it waits for a person."""
    if event.type in ("run.awaiting_approval", "run.awaiting_input"):
        return event.type.removeprefix("run.")
    return str(_run_after(event).get("status") or "")


def _run_after(event: Event) -> dict[str, Any]:
    """Return the run as a gap tells of it."""
    run = event.data.get("run") if event.type == "gap" else None
    return run if isinstance(run, dict) else {}
