"""Shows the events of a run, with what was said while nobody listened."""

from pydantic import ValidationError

from agentic.api.client import AgenticClient
from agentic.terminal.show import Display
from common.errors import AgenticError
from common.events.speech import delta_of
from common.models import Lenient
from common.runs import Event, Run


class Decided(Lenient):
    """What `turn.decided` tells of what was said in its turn."""

    t: int
    text_bytes: int = 0
    """Of UTF-8; an older service does not tell."""


class Listener:
    """Shows one run's events; what is missing of a text is read, and an event that is odd is passed over."""

    def __init__(self, client: AgenticClient, display: Display, run: Run) -> None:
        self._client = client
        self._display = display
        self._ids = run.session_id, run.id
        self._texts: dict[int, str] = {}
        """What was said in the turns that were read, by their numbers."""

    async def show(self, event: Event) -> None:
        """Print what an event tells."""
        try:
            await self._show(event)
        except ValidationError:
            self._display.line(f"… {event.type} cannot be read", "yellow")

    async def _show(self, event: Event) -> None:
        if event.type == "text.delta":
            delta = delta_of(event)
            if not self._display.say(delta):
                self._display.catch_up(delta, await self._text_so_far())
            return
        if event.type == "turn.decided":
            decided = Decided.model_validate(event.data)
            if not self._display.has_heard(decided.t, decided.text_bytes):
                self._display.tell(decided.t, await self._text_of(decided.t))
        self._display.event(event)

    async def _text_so_far(self) -> str | None:
        """Return what is being said; None where it cannot be read, which is no reason to end."""
        try:
            return (await self._client.run(*self._ids)).text
        except AgenticError:
            return None

    async def _text_of(self, t: int) -> str | None:
        """Return what was said in a turn, likewise."""
        try:
            if t not in self._texts:
                turns = await self._client.turns(*self._ids)
                self._texts = {turn.t: turn.text or "" for turn in turns}
        except AgenticError:
            return None
        return self._texts.get(t)
