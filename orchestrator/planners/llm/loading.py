"""Makes the planner of a deployment that has a model; what speaks to models is imported only then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from pydantic import JsonValue

from common.errors import ClientError
from common.plans import Usage
from common.runs import PlannerSpec, RunCreate
from common.tools import Tools
from orchestrator.planners.decisions import Decision
from orchestrator.planners.llm.calls import calls_of
from orchestrator.planners.llm.config import USUAL_CONTEXT, ModelConfig, UnusableModel
from orchestrator.planners.llm.conversation import Model, ModelRequest, Reply, Say, ToolRequest
from orchestrator.planners.protocol import History, Planner, Surroundings

NO_MODEL = "No model is configured: set ORCHESTRATOR_MODEL to <provider>:<name>"


class OpenModel(Model, Protocol):
    """A model with connections."""

    async def close(self) -> None:
        """Close them."""


Opener = Callable[[str, ModelConfig], OpenModel]


class LazyModel:
    """A model that is opened in a thread: when the service starts (`opened`), or at its first request."""

    def __init__(self, name: str, config: ModelConfig, opener: Opener | None = None) -> None:
        self.name = name
        self.context = config.context or USUAL_CONTEXT
        """As it is known: what the library knows of the model counts from its opening on."""
        self._config = config
        self._opener = opener or _open
        self._lock = asyncio.Lock()
        self._model: OpenModel | None = None

    async def open(self) -> OpenModel:
        """Return the model, opened and warm. Raises UnusableModel."""
        async with self._lock:
            if self._model is None:
                self._model = await asyncio.to_thread(self._opener, self.name, self._config)
                self.context = self._model.context
            return self._model

    async def close(self) -> None:
        """Close its connections, if there are any."""
        model, self._model = self._model, None
        if model is not None:
            await model.close()

    async def ask(self, request: ModelRequest, say: Say) -> Reply:
        """Make one request; see `Model`."""
        return await (await self.open()).ask(request, say)

    def calls_of(self, message: JsonValue) -> Sequence[ToolRequest]:
        """Return the calls that an answer asks for, whichever model has given it."""
        return calls_of(message)

    def price_of(self, usage: Usage) -> float | None:
        """Return what so many tokens cost in US dollars; None where no price is known, or not yet."""
        return None if self._model is None else self._model.price_of(usage)


def _open(name: str, config: ModelConfig) -> OpenModel:
    try:
        # seconds and 110 MiB, of an extra that is not always installed
        from orchestrator.planners.llm.providers.warming import open_warm  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise UnusableModel(
            f"the model {name} needs the extra `llm`: pip install 'agentic-framework[llm]'"
            f" ({missing})"
        ) from missing
    return open_warm(name, config)


def make_models(config: ModelConfig | None) -> tuple[LazyModel, ...]:
    """Return the models of a deployment, the default first; none of them is opened."""
    if config is None:
        return ()
    names = dict.fromkeys((config.model, *config.others))
    return tuple(LazyModel(name, config) for name in names)


@asynccontextmanager
async def opened(models: Sequence[LazyModel]) -> AsyncIterator[None]:
    """Open them all, so that the first run waits for nothing; close them at the end.

    Raises UnusableModel for the first that cannot be asked as it is configured.
    """
    try:
        for model in models:
            await model.open()
        yield
    finally:
        for model in models:
            await model.close()


def make_llm_planner(config: ModelConfig | None, models: Sequence[Model] = ()) -> Planner:
    """Return the planner; without a model, one that says so and takes no runs.

    `models`: those of the configuration, where somebody has made them; else they are made here.
    """
    if config is None:
        return UnavailablePlanner(NO_MODEL)
    # of use to nobody who has no model
    from orchestrator.planners.llm.planner import LlmPlanner  # noqa: PLC0415

    return LlmPlanner(models or make_models(config), config)


class UnavailablePlanner:
    """The `llm` planner of a deployment without a model."""

    checks_tools = False
    converses = True

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.spec = PlannerSpec(
            name="llm",
            description="A model decides what to do: it reads, searches and changes files by the"
            " tools, and says what came of it.",
            available=False,
            reason=reason,
        )

    def check(self, _asked: RunCreate, _tools: Tools) -> None:
        """Raise ClientError `invalid_request`: there is no model."""
        raise ClientError("invalid_request", self._reason)

    async def next(self, _history: History, _around: Surroundings) -> Decision:
        """Raise ClientError: a run of a deployment that had a model then."""
        raise ClientError("invalid_request", self._reason)
