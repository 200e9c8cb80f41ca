"""The `llm` planner: a model decides, turn by turn; everything else follows from the stored history."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files

from common.errors import ClientError, SystemFault
from common.runs import PlannerSpec, RunCreate
from common.tools import Tools
from orchestrator.planners.decisions import Compact, Decision
from orchestrator.planners.llm.answers.deciding import Expected, answer_of
from orchestrator.planners.llm.asking import Asker
from orchestrator.planners.llm.checking import check_run
from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.context.compaction import SUMMARY_TOKENS, Summarise, shortening
from orchestrator.planners.llm.context.cutting import cut
from orchestrator.planners.llm.context.measure import Measure
from orchestrator.planners.llm.context.opening import MAX_EARLIER, opening
from orchestrator.planners.llm.context.summary import summary_request, transcript
from orchestrator.planners.llm.context.told import Room, Told
from orchestrator.planners.llm.context.views import View
from orchestrator.planners.llm.conversation import Model, ModelRequest, TooLong
from orchestrator.planners.llm.loop_detector import nudges
from orchestrator.planners.llm.toolbox import cards
from orchestrator.planners.protocol import EarlierRun, History, Speech, Surroundings

PROMPT = (files("orchestrator.planners.llm") / "prompt.md").read_text()
CHARACTERS = 3
"""Of a token, at the least that is to be expected: the room for outputs is shared out by it."""
MAX_OUTPUT_SHOWN = 60_000
"""Characters of one tool output, however much the model can read."""
TIGHTER = 0.75
"""By what a request is shortened that was too long against the estimate."""
FEW = 2
"""Steps, turns and earlier runs: what is told of them is ready sooner than a thread is."""
SHORT = 16 * 1024
"""Characters of an answer that are read sooner than a thread is ready."""
SHARES = (1.0, 0.5, 0.2)
"""Of the room that there is: how much of a transcript is sent, until the model can read it."""


@dataclass(frozen=True)
class _Prepared:
    """A request to the model, and what to do if it is too long."""

    request: ModelRequest
    told: Told
    measure: Measure
    tokens: int


class LlmPlanner:
    """Asks a model what to do next, and keeps the conversation within what it can read."""

    checks_tools = False
    """A run that names tools is checked against them anyway."""
    converses = True

    def __init__(
        self, models: Sequence[Model], config: ModelConfig, asker: Asker | None = None
    ) -> None:
        self._models = {model.name: model for model in models}
        self._default = models[0]
        self._config = config
        self._asker = asker or Asker(config.attempts)
        self.spec = PlannerSpec(
            name="llm",
            description="A model decides what to do: it reads, searches and changes files by the"
            " tools, and says what came of it.",
            models=list(self._models),
        )

    def check(self, asked: RunCreate, tools: Tools) -> None:
        """Raise ClientError `invalid_request` for what it cannot do."""
        check_run(asked, self._models, self._default, tools)

    async def next(self, history: History, around: Surroundings) -> Decision:
        """Return what the model wants to do next; or what it is shown less of, before it is asked."""
        model = self._model(history)
        if not around.tools:
            raise SystemFault("unavailable", "Nobody can tell the tools at the moment")
        earlier = await around.earlier_runs(MAX_EARLIER)
        preparing = partial(self._prepare, model, history, around.tools, earlier)
        # a long conversation is megabytes, and renewals share the loop
        is_short = max(len(history.steps), len(history.turns), len(earlier)) <= FEW
        prepared = preparing() if is_short else await asyncio.to_thread(preparing)
        limit = model.context - self._max_output(model)
        if prepared.tokens > limit:
            shorter = await self._shorter(model, prepared, limit, around)
            if shorter is not None:
                return shorter
        return await self._decide(model, prepared, around)

    async def _decide(self, model: Model, prepared: _Prepared, around: Surroundings) -> Decision:
        try:
            reply = await self._asker.ask(
                model, prepared.request, prepared.tokens, around, prepared.told.history.left
            )
        except TooLong as too_long:
            limit = min(prepared.tokens, model.context - self._max_output(model))
            shorter = await self._shorter(model, prepared, int(limit * TIGHTER), around)
            if shorter is None:
                raise _never_fits(model) from too_long
            return shorter
        request = prepared.request
        names = frozenset(card.name for card in request.tools)
        expected = Expected(prepared.told.history, around.tools, names, request.max_output)
        written = len(reply.text) + sum(len(call.arguments) for call in reply.calls)
        if written <= SHORT and prepared.told.history.wishes.output_schema is None:
            return expected.decide(reply)
        # a client's schema may take seconds over a few words
        return await asyncio.to_thread(expected.decide, reply)

    def _prepare(
        self, model: Model, history: History, tools: Tools, earlier: Sequence[EarlierRun]
    ) -> _Prepared:
        room = model.context * CHARACTERS
        told = Told(
            history,
            opening(history, earlier, room // 8),
            nudges(history.turns, history.steps, self._config.loops),
            model.calls_of,
            Room(min(room // 8, MAX_OUTPUT_SHOWN), room // 3),
        )
        offered = cards(tools, history.wishes.tools)
        request = ModelRequest(PROMPT, (), offered, self._max_output(model))
        measure = Measure(told, request)
        items = told.items(View.of(history.turns))
        return _Prepared(replace(request, items=items), told, measure, measure.tokens(items))

    async def _shorter(
        self, model: Model, prepared: _Prepared, limit: int, around: Surroundings
    ) -> Compact | None:
        """Return what the model is shown less of; None where it is shown as little as can be."""
        found = await asyncio.to_thread(shortening, prepared.told, prepared.measure, limit)
        if isinstance(found, Summarise):
            return await self._summed_up(model, prepared, found.covers, around)
        return found

    async def _summed_up(
        self, model: Model, prepared: _Prepared, covers: int, around: Surroundings
    ) -> Compact:
        room = prepared.measure.characters(model.context // 2)
        history = prepared.told.history
        silent = replace(around, speech=Speech())
        for share in SHARES:
            text = await asyncio.to_thread(transcript, history, covers, int(room * share))
            most = min(SUMMARY_TOKENS, self._max_output(model))
            request = summary_request(text, most)
            try:
                tokens = prepared.measure.tokens_of(request)
                reply = await self._asker.ask(model, request, tokens, silent, history.left)
            except TooLong:
                continue
            summary = reply.text.strip() or cut(text, most * CHARACTERS)
            return Compact(covers, summary, answer_of(reply))
        raise _never_fits(model)

    def _model(self, history: History) -> Model:
        name = history.wishes.model
        model = self._default if name is None else self._models.get(name)
        if model is None:  # the deployment has changed since the run was made
            raise ClientError("invalid_request", f"There is no model '{name}' here any more")
        return model

    def _max_output(self, model: Model) -> int:
        return min(self._config.max_output, model.context // 3)


def _never_fits(model: Model) -> SystemFault:
    return SystemFault(
        "model_refused",
        f"{model.name} says that the request is too long, and no more of it can be left out",
        hint=f"Set ORCHESTRATOR_MODEL_CONTEXT to what the model can read, if that is less than"
        f" {model.context} tokens; or give shorter goals and instructions.",
    )
