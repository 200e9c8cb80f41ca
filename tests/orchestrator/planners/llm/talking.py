"""A model that says what a test tells it, and a run that does what the planner decides."""

import itertools
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from common.errors import ToolError
from common.plans import Message, Turn, TurnCall, Usage
from common.tools import ToolSpec
from orchestrator.planners.decisions import (
    Ask,
    CallTools,
    Compact,
    Finish,
    ModelAnswer,
    Reconsider,
)
from orchestrator.planners.llm.asking import Asker
from orchestrator.planners.llm.calls import calls_of
from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import Reply, ToolRequest
from orchestrator.planners.llm.planner import LlmPlanner
from orchestrator.planners.protocol import History, PastTurn, Surroundings
from tests.orchestrator.builders import step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def spec(name, effect="read", **properties):
    """Return a tool that takes these arguments, all of them strings."""
    schema = {
        "type": "object", "additionalProperties": False, "required": list(properties),
        "properties": {key: {"type": "string", "description": d} for key, d in properties.items()},
    }  # fmt: skip
    return ToolSpec(
        name=name, description=f"{name}.", effect=effect, arguments_schema=schema, output_schema={}
    )


TOOLS = {
    "read_file": spec("read_file", path="its path"),
    "list_directory": spec("list_directory", path="its path"),
    "write_file": spec("write_file", "write", path="its path", content="all of it"),
    "move_path": spec("move_path", "write", source="from", destination="to"),
}
_ids = itertools.count(1)


def says(text="", *calls, reason="stop", tokens=None):
    """Return an answer: text, and calls as (tool, arguments); arguments may be text as it came."""
    requests = [
        ToolRequest(f"call-{next(_ids)}", tool, _text(arguments)) for tool, arguments in calls
    ]
    parts = [{"part_kind": "text", "content": text}] if text else []
    parts += [
        {"part_kind": "tool-call", "tool_call_id": r.id, "tool_name": r.tool, "args": r.arguments}
        for r in requests
    ]
    message = {"parts": parts}
    usage = Usage(input_tokens=tokens or 0, output_tokens=1)
    return Reply(message, text, requests, reason, usage, "fake:one")


def _text(arguments):
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


@dataclass
class ScriptedModel:
    """Gives the next answer, or raises it; an answer may be a function of the request."""

    answers: list[Any]
    name: str = "fake:one"
    context: int = 30_000
    price: float | None = None
    requests: list[Any] = field(default_factory=list)

    async def ask(self, request, say):
        """Answer."""
        self.requests.append(request)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        await say(answer.text)
        return answer

    def calls_of(self, message):
        """Return the calls of an answer."""
        return calls_of(message)

    def price_of(self, usage):
        """Return what tokens cost."""
        return self.price


def read(path="a.txt"):
    """Return a call of read_file."""
    return "read_file", {"path": path}


def done(call, **output):
    """Return the outcome of a call that succeeded."""
    given = output or {"content": f"contents of {call.arguments}\n", "start_line": 1, "end_line": 1}
    return step(
        call.n, name=call.name, tool=call.tool, arguments=call.arguments, status="succeeded",
        output=given,
    )  # fmt: skip


def refused(call, code="path_not_found", detail="it is not there"):
    """Return the outcome of a call that failed."""
    problem = ToolError(code, detail).problem("execution_environment", None)
    return done(call).model_copy(update={"status": "failed", "output": None, "error": problem})


async def _at_once(_seconds):
    pass


class Talk:
    """A run with a model, as the engine goes on with it: every decision is stored, its calls are made."""

    def __init__(self, *answers, outcome=done, goal="do it", **more):
        made = {key: more.pop(key) for key in ("context", "price") if key in more}
        self.model = more.pop("model", None) or ScriptedModel(list(answers), **made)
        config = more.pop("config", ModelConfig("fake:one", max_output=1000))
        self.planner = LlmPlanner([self.model], config, Asker(3, sleep=_at_once))
        self.outcome = outcome
        self.around = Surroundings(TOOLS)
        self.history = History(goal, None, (), **more)

    @property
    def turns(self):
        """What was decided so far."""
        return [past.turn for past in self.history.turns]

    def send(self, text, is_answer=False):
        """Let a person say something."""
        message = Message(text=text, is_answer=is_answer)
        self.history = replace(self.history, messages=(*self.history.messages, message))

    async def go_on(self, times=1):
        """Have so many decisions made; return the last one."""
        for _ in range(times):
            decision = await self.planner.next(self.history, self.around)
            self._store(decision)
        return decision

    def _store(self, decision):
        answered = decision.answered
        calls = self._calls(decision)
        turn = Turn(
            t=len(self.history.turns) + 1,
            messages=list(self.history.messages),
            calls=calls,
            decided_at=NOW,
            **_of_answer(answered),
            **_of_decision(decision),
        )
        past = PastTurn(turn, None if answered is None else answered.message)
        self.history = replace(
            self.history,
            turns=(*self.history.turns, past),
            steps=(*self.history.steps, *map(self._step, calls)),
            messages=(),
        )

    def _calls(self, decision):
        calls = decision.calls if isinstance(decision, CallTools | Ask) else ()
        return [
            TurnCall(
                n=n,
                name=call.name,
                tool=call.tool,
                arguments=call.arguments,
                on_error=call.on_error,
                effect=TOOLS[call.tool].effect if call.tool in TOOLS else "write",
                error=call.error and call.error.problem("orchestrator", None),
            )
            for n, call in enumerate(calls, len(self.history.steps) + 1)
        ]

    def _step(self, call):
        if call.error is None:
            return self.outcome(call)
        return done(call).model_copy(
            update={"status": "failed", "output": None, "error": call.error}
        )


def _of_answer(answered: ModelAnswer | None):
    if answered is None:
        return {}
    return {"usage": answered.usage, "model": answered.model, "text": answered.text}


def _of_decision(decision):
    match decision:
        case Finish(answer):
            return {"answer": answer}
        case Ask(question):
            return {"question": question}
        case Reconsider(feedback):
            return {"feedback": feedback}
        case Compact(covers, summary):
            return {"covers": covers, "summary": summary}
    return {}
