"""What of a run its events do not say: read when it is to be told."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from common.plans import Turn, TurnCall
from orchestrator.store.runs import RunStore


@dataclass(frozen=True)
class KeptStep:
    """The parts of a step that events leave out."""

    arguments: Mapping[str, JsonValue]
    output: JsonValue


class Records:
    """Reads one run; its turns once for each that is new, since they stay as they are."""

    def __init__(self, runs: RunStore, session_id: str, run_id: str) -> None:
        self._runs = runs
        self._ids = session_id, run_id
        self._turns: Mapping[int, Turn] = {}
        self._calls: Mapping[int, TurnCall] = {}

    async def step(self, n: int) -> KeptStep:
        """Return a step: arguments that it does not keep itself are its turn's."""
        kept = await self._runs.kept_of_step(*self._ids, n)
        arguments = kept.get("arguments")
        if not isinstance(arguments, dict):
            if n not in self._calls:
                await self._read()
            call = self._calls.get(n)
            arguments = {} if call is None else call.arguments
        return KeptStep(arguments, kept.get("output"))

    async def text_of(self, t: int) -> str:
        """Return what was said in a turn."""
        if t not in self._turns:
            await self._read()
        turn = self._turns.get(t)
        return "" if turn is None else turn.text or ""

    async def text_so_far(self) -> str | None:
        """Return what is being said."""
        return await self._runs.text(*self._ids)

    async def _read(self) -> None:
        turns = await self._runs.turns(*self._ids)
        self._turns = {turn.t: turn for turn in turns}
        self._calls = {call.n: call for turn in turns for call in turn.calls}
