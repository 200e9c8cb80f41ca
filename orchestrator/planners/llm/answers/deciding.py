"""From a model's answer to a decision."""

import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import takewhile

from common.errors import SystemFault
from common.tools import Tools
from orchestrator.planners.decisions import (
    Ask,
    Call,
    CallTools,
    Decision,
    Finish,
    ModelAnswer,
    Reconsider,
)
from orchestrator.planners.llm.answers.output_schema import AnswerMismatch, matching_json
from orchestrator.planners.llm.answers.repeats import without_repeats
from orchestrator.planners.llm.answers.text_calls import called_as_text
from orchestrator.planners.llm.conversation import Reply, ToolRequest
from orchestrator.planners.llm.toolbox import ASK_USER, checked
from orchestrator.planners.protocol import History

MAX_CALLS = 64
"""Of one answer; the rest is not made, nor is what only repeats at its end: the model is told so."""
MAX_RECONSIDERED = 2
"""In a row: then the model cannot do it."""
MAX_NAME = 40
MAX_REFUSAL = 500
EMPTY = "Your answer was empty. Make a call, or answer in text when the task is done."
CUT_CALLS = (
    "Your answer was cut off at {limit} tokens, before its call of {tool} was complete: none of its"
    " calls was made. {advice}"
)
IN_PARTS = "Write a long text in parts: the first with write_file, the others with append_file."
ONE_CALL = "Make one short call."
CUT_TEXT = "Your answer was cut off at {limit} tokens. Say it shorter."
AS_TEXT = (
    "You have written a call of {tool} as text: that does nothing. Call the tool itself. If you are"
    " done, answer in words."
)
MISMATCH = "Your answer does not match the schema that was asked for. Give the JSON alone:\n"


@dataclass(frozen=True)
class Expected:
    """What an answer is judged by."""

    history: History
    tools: Tools
    offered: Set[str]
    """The names of the tools that the model was given."""
    max_output: int

    def decide(self, reply: Reply) -> Decision:
        """Return what the answer means. Raises SystemFault `model_refused` where it is of no use again."""
        if reply.reason == "refused":
            said = reply.text.strip()[:MAX_REFUSAL] or "It gives no reason."
            raise SystemFault("model_refused", f"The model refuses to answer: {said}")
        calls = reply.calls[:MAX_CALLS]
        whole = calls if reply.reason == "stop" else list(takewhile(_is_complete, calls))
        distinct = without_repeats(whole, self.tools)
        if len(distinct) == len(whole) < len(calls):
            return self._reconsider(reply, self._cut_off(calls[len(whole)].tool))
        return self._calls(reply, distinct) if distinct else self._text(reply)

    def _text(self, reply: Reply) -> Decision:
        text = reply.text.strip()
        if not text:
            return self._reconsider(reply, EMPTY)
        if reply.reason == "length":
            return self._reconsider(reply, CUT_TEXT.format(limit=self.max_output))
        try:
            answer = self._matching(text)
        except AnswerMismatch as mismatch:
            return self._reconsider(reply, self._as_text(text) or f"{MISMATCH}{mismatch}")
        as_text = self._as_text(text)
        if as_text is not None and self.history.wishes.output_schema is None:
            return self._reconsider(reply, as_text)
        return Finish(answer, answer_of(reply))

    def _cut_off(self, tool: str) -> str:
        """Say what was cut off, and what would help: only what is written can be written in parts."""
        is_write = tool in self.tools and self.tools[tool].effect != "read"
        advice = IN_PARTS if is_write else ONE_CALL
        return CUT_CALLS.format(limit=self.max_output, tool=tool[:MAX_NAME], advice=advice)

    def _matching(self, text: str) -> str:
        schema = self.history.wishes.output_schema
        return text if schema is None else matching_json(text, schema)

    def _as_text(self, text: str) -> str | None:
        tool = called_as_text(text, self.offered)
        return None if tool is None else AS_TEXT.format(tool=tool)

    def _calls(self, reply: Reply, requests: Sequence[ToolRequest]) -> Decision:
        questions, faults = self._questions(requests)
        if faults:
            return self._reconsider(reply, "\n".join(faults))
        wanted = [request for request in requests if request.tool != ASK_USER]
        first = 1 + sum(len(past.turn.calls) for past in self.history.turns)
        calls = [self._call(request, n) for n, request in enumerate(wanted, first)]
        if questions:
            return Ask("\n\n".join(questions), answer_of(reply), calls)
        return CallTools(calls, answer_of(reply))

    def _call(self, request: ToolRequest, n: int) -> Call:
        arguments, error = checked(request, self.tools, self.history.wishes.tools)
        name = f"{_step_name(request.tool)}_{n}"
        return Call(name, request.tool, arguments, on_error="continue", error=error)

    def _questions(self, requests: Sequence[ToolRequest]) -> tuple[list[str], list[str]]:
        """Return what people are asked, and what is wrong with that."""
        questions, faults = [], []
        for request in requests:
            if request.tool != ASK_USER:
                continue
            arguments, error = checked(request, self.tools, self.history.wishes.tools)
            question = str(arguments.get("question", "")).strip()
            if error is not None:
                faults.append(f"{ASK_USER}: {error.detail}. {error.hint} No call was made.")
            elif question:
                questions.append(question)
            else:
                faults.append(f"{ASK_USER} needs a question. No call was made.")
        return questions, faults

    def _reconsider(self, reply: Reply, fault: str) -> Decision:
        earlier = self._reconsidered()
        most = 1 if fault.startswith(MISMATCH) else MAX_RECONSIDERED
        alike = sum(told.startswith(MISMATCH) for told in earlier) if most == 1 else len(earlier)
        if alike >= most:
            raise SystemFault(
                "model_refused",
                f"The model was asked again, and its answer is of no use: {fault}",
                hint="Take a stronger model, or ask for less at once.",
            )
        return Reconsider(fault, answer_of(reply))

    def _reconsidered(self) -> list[str]:
        """Return what the model was told of its last answers, which were of no use."""
        told: list[str] = []
        for past in reversed(self.history.turns):
            if past.turn.feedback is not None:
                told.append(past.turn.feedback)
            elif past.turn.covers is None:
                break
        return told


def answer_of(reply: Reply) -> ModelAnswer:
    """Return what is stored of an answer."""
    return ModelAnswer(reply.message, reply.model, reply.usage, reply.text or None)


def _is_complete(request: ToolRequest) -> bool:
    try:
        return isinstance(json.loads(request.arguments), dict)
    except (ValueError, RecursionError):
        return False


def _step_name(tool: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", tool.lower()).strip("_")[:MAX_NAME]
    return name if name[:1].isalpha() else f"call_{name}".strip("_")
