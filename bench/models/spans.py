"""Times what a worker waits for: each part that it works with is handed to it within a stopwatch."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from structlog.contextvars import get_contextvars

from common.tools import ToolCall
from orchestrator.execution.client import ExecutionClient
from orchestrator.planners.llm.conversation import Model
from orchestrator.planners.protocol import Planner
from orchestrator.store.store import Store

T = TypeVar("T")
Naming = Callable[..., str]
PLANNER, MODEL, CALL = "decide", "the model answers", "the call"
AGENTS_MD, EARLIER = "read AGENTS.md", "read the earlier runs"
PROGRESS = {
    "record_turn": "store the turn",
    "record": "store the steps as they begin and end",
    "finish": "store the ending",
}
CONVERSATION = {
    "messages": "read the inbox",
    "reserve": "reserve in the budget",
    "append_text": "show the text",
}


class Stopwatch:
    """Adds up the seconds of each run by name. Of what goes on side by side, each counts as a whole."""

    def __init__(self) -> None:
        self.runs: defaultdict[str, defaultdict[str, float]] = defaultdict(
            lambda: defaultdict(float)
        )

    def store(self, store: Store) -> Store:
        """Return a store of which an owner's writes and reads are timed."""
        return replace(
            store,
            progress=self._around(store.progress, PROGRESS),
            conversation=self._around(store.conversation, CONVERSATION),
            runs=self._around(store.runs, {"list": EARLIER}),
        )

    def client(self, client: ExecutionClient) -> ExecutionClient:
        """Return a client of which the calls are timed; a run's first reads AGENTS.md."""

        def name(call: ToolCall, *_: object) -> str:
            return AGENTS_MD if call.id.endswith(":0:1") else CALL

        return self._around(client, {"run": name})

    def planner(self, planner: Planner) -> Planner:
        """Return a planner of which the decisions are timed."""
        return self._around(planner, {"next": PLANNER})

    def model(self, model: Model) -> Model:
        """Return a model of which the answers are timed."""
        return self._around(model, {"ask": MODEL})

    def note(self, name: str, started: float) -> None:
        """Note what has gone on since then for the run that this task works on."""
        seconds = time.perf_counter() - started
        self.runs[str(get_contextvars().get("run_id"))][name] += seconds

    def _around(self, part: T, timed: Mapping[str, str | Naming]) -> T:
        return cast("T", _Around(part, timed, self))


class _Around:
    """Stands for another object, and times some of its methods."""

    def __init__(self, part: object, timed: Mapping[str, str | Naming], watch: Stopwatch) -> None:
        self._part = part
        self._timed = timed
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name not in self._timed:
            return found
        naming = self._timed[name]

        async def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return await found(*arguments, **options)
            finally:
                told = naming if isinstance(naming, str) else naming(*arguments)
                self._watch.note(told, started)

        return timed
