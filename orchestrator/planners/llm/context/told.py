"""A run as its model is told it: the same turns give the same words, so what was said stays said."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from common.plans import Message, Turn, TurnCall
from common.runs import Step
from orchestrator.planners.llm.context.edits import edit_text
from orchestrator.planners.llm.context.marks import marked
from orchestrator.planners.llm.context.outputs import error_text, output_text
from orchestrator.planners.llm.context.views import View
from orchestrator.planners.llm.conversation import (
    Answered,
    Item,
    Said,
    ToolOutput,
    ToolOutputs,
    ToolRequest,
)
from orchestrator.planners.protocol import History, PastTurn

NOT_MADE = "This call was not made."
NOT_NEEDED = "This call was not made: the same one stands above, or there were too many."
LEFT_OUT = "[left out to make room: call the tool again if you need it]"
DONE = "[done; what it said is left out to make room]"
MIN_OUTPUT = 200
"""Characters that are always shown of an output."""
ANSWERED = "The answer to your question: "
_ASK_USER = "ask_user"

CallsOf = Callable[[JsonValue], Sequence[ToolRequest]]


@dataclass(frozen=True)
class Room:
    """Characters of tool outputs that are shown: of one, and of all of a turn."""

    output: int
    turn: int


@dataclass(frozen=True)
class Told:
    """A run's history, and what more it takes to tell it."""

    history: History
    opening: str
    nudges: Mapping[int, str]
    """What is said to the model after a turn, by its number."""
    calls_of: CallsOf
    room: Room

    def items(self, view: View) -> Sequence[Item]:
        """Return the conversation, as far as the view shows it."""
        steps = {step.n: step for step in self.history.steps}
        items = _Items()
        items.say(self.opening)
        if view.summary:
            items.say(*_summary(self.history.turns, view))
        shown = [past for past in self.history.turns if past.turn.t > view.summarised]
        asked = None
        for index, past in enumerate(shown):
            items.say(*_said(past.turn.messages, asked))
            if past.turn.covers is None:
                answer = _answer_in(self._messages_after(shown[index + 1 :]))
                self._tell(past, answer, view, steps, items)
                asked = past.turn.question
        items.say(*_said(self.history.messages, asked))
        return items.made

    def before(self, index: int) -> "Told":
        """Return what was told when the turn of this index was decided."""
        turns = self.history.turns
        messages = turns[index].turn.messages
        return replace(self, history=replace(self.history, turns=turns[:index], messages=messages))

    def _messages_after(self, later: Sequence[PastTurn]) -> Iterator[Message]:
        """Yield what was sent before the model was asked again: compactions may come between."""
        for past in later:
            yield from past.turn.messages
            if past.turn.covers is None:
                return
        yield from self.history.messages

    def _tell(
        self, past: PastTurn, answer: str, view: View, steps: Mapping[int, Step], items: "_Items"
    ) -> None:
        turn = past.turn
        requests = [] if past.message is None else self.calls_of(past.message)
        if requests or (turn.text or turn.answer or "").strip():
            items.add(Answered(past.message))  # an empty one is refused by some providers
        if requests:
            most = max(MIN_OUTPUT, min(self.room.output, self.room.turn // len(requests)))
            is_short = turn.t <= view.covers
            outputs = _outputs(turn, requests, answer, steps, 0 if is_short else most)
            items.add(ToolOutputs(list(outputs)))
        items.say(*filter(None, (turn.feedback, self.nudges.get(turn.t))))


@dataclass
class _Items:
    """Items as they are made: what is said joins what it follows."""

    made: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> None:
        self.made.append(item)

    def say(self, *texts: str) -> None:
        for text in texts:
            match self.made[-1] if self.made else None:
                case Said(before):
                    self.made[-1] = Said(f"{before}\n\n{text}")
                case ToolOutputs(outputs, said):
                    self.made[-1] = ToolOutputs(outputs, (*said, text))
                case _:
                    self.made.append(Said(text))


def _summary(turns: Sequence[PastTurn], view: View) -> Iterator[str]:
    """Yield what stands for the turns of a summary; what people have said is never summed up."""
    yield from (
        f"The user has said meanwhile: {message.text}"
        for past in turns
        if past.turn.t <= view.summarised
        for message in past.turn.messages
    )
    told = marked("summary", view.summary)
    yield f"You have been at work on this already. What you have done so far:\n{told}\nGo on."


def _said(messages: Sequence[Message], asked: str | None) -> Iterator[str]:
    """Yield what people have said, but for the answer that stands as the output of `ask_user`."""
    for message in messages:
        if not message.is_answer:
            yield message.text
        elif asked is None:
            yield ANSWERED + message.text


def _answer_in(messages: Iterator[Message]) -> str:
    return "\n".join(message.text for message in messages if message.is_answer)


def _outputs(
    turn: Turn,
    requests: Sequence[ToolRequest],
    answer: str,
    steps: Mapping[int, Step],
    most: int,
) -> Iterator[ToolOutput]:
    """Yield an output for every call of an answer; `most` characters, or 0: no more than that it is done.

    They are the turn's calls, in their order, but for the questions; the turn may have fewer.
    """
    calls = iter(turn.calls)
    for request in requests:
        if request.tool == _ASK_USER and turn.question is not None:
            yield ToolOutput(request.id, request.tool, answer or "(no answer)")
            continue
        call = next(calls, None)
        step = None if call is None else steps.get(call.n)
        missing = NOT_NEEDED if turn.feedback is None else NOT_MADE
        text, is_error = (missing, True) if call is None else _outcome(call, step, most)
        yield ToolOutput(request.id, request.tool, text, is_error)


def _outcome(call: TurnCall, step: Step | None, most: int) -> tuple[str, bool]:
    """Return what came of a call, and whether that is an error; first, what a person has made of it."""
    edit = "" if step is None else edit_text(call, step, most or MIN_OUTPUT)
    text, is_error = _result(call, step, most)
    return edit + text, is_error


def _result(call: TurnCall, step: Step | None, most: int) -> tuple[str, bool]:
    error = call.error if step is None else step.error
    if error is not None:
        return error_text(error), True
    if step is None or step.status != "succeeded":
        return NOT_MADE, True
    if most:
        return output_text(step, most), False
    text = output_text(step, MIN_OUTPUT)
    if len(text) <= MIN_OUTPUT:
        return text, False
    return LEFT_OUT if call.effect == "read" else DONE, False
