"""What a planner says, as text messages: at most one is open, and none is ever put together wrongly."""

from collections.abc import Iterator, Sequence

from ag_ui.core import (
    BaseEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
)

from common.events.speech import LAST_ATTEMPT, Speech, delta_of
from common.models import Lenient
from common.runs import Event
from orchestrator.agui.records import Records


class Decided(Lenient):
    """What `turn.decided` tells of what was said in its turn."""

    t: int
    text_bytes: int = 0
    """Of UTF-8."""


class Sayings:
    """Follows what is said. A model that begins anew gets another message: nobody takes words back."""

    def __init__(self, records: Records, run_id: str) -> None:
        self._records = records
        self._run_id = run_id
        self._speech = Speech()
        self._last = ""
        """What was said in the last turn that was decided."""
        self._message: str | None = None
        """The id of the one that is open."""
        self._begun: set[str] = set()

    async def piece(self, event: Event) -> Sequence[BaseEvent]:
        """Tell a piece, and what was missed before it; of what is lost for good the turn tells."""
        delta, ended = delta_of(event), []
        if self._speech.is_over_for(delta):
            ended = self.end()
            self._speech = Speech(delta.t, delta.attempt)
        new = self._speech.take(delta)
        if new is None:
            new = self._speech.catch_up(delta, await self._records.text_so_far())
        return [*ended, *self._say(new)]

    async def decided(self, event: Event) -> Sequence[BaseEvent]:
        """Tell what was not heard of a turn that is decided, and end its message."""
        decided = Decided.model_validate(event.data)
        said = [*self._rest(decided.t, await self._text_of(decided)), *self.end()]
        self._speech = Speech(decided.t, LAST_ATTEMPT)  # a piece may come behind its turn
        return said

    def answer(self, text: str) -> Sequence[BaseEvent]:
        """Tell a run's answer, unless it was the last thing said."""
        if text.strip() == self._last.strip():
            return self.end()
        return [*self.end(), *self._say(text, "answer"), *self.end()]

    def end(self) -> list[BaseEvent]:
        """End the message that is open."""
        message, self._message = self._message, None
        return [] if message is None else [TextMessageEndEvent(message_id=message)]

    async def _text_of(self, decided: Decided) -> str:
        """Return what was said in a turn: it is read where not all of it was heard."""
        is_heard = self._speech.t == decided.t and self._speech.size == decided.text_bytes
        if is_heard or not decided.text_bytes:
            return self._speech.text if is_heard else ""
        return await self._records.text_of(decided.t)

    def _rest(self, t: int, text: str) -> Iterator[BaseEvent]:
        self._last = text
        if self._speech.t == t and text.startswith(self._speech.text):
            yield from self._say(self._speech.complete(text))
            return
        yield from self.end()
        self._speech = Speech(t, LAST_ATTEMPT)
        yield from self._say(text)

    def _say(self, text: str, name: str | None = None) -> Iterator[BaseEvent]:
        if not text:
            return
        if self._message is None:
            self._message = self._fresh(f"{self._run_id}:{name or self._speech.t}")
            yield TextMessageStartEvent(message_id=self._message, role="assistant")
        yield TextMessageContentEvent(message_id=self._message, delta=text)

    def _fresh(self, name: str) -> str:
        """Return an id for a message: the same for a turn whenever its text is told in one piece."""
        again = sum(begun.split("~")[0] == name for begun in self._begun)
        message = f"{name}~{again + 1}" if again else name
        self._begun.add(message)
        return message
