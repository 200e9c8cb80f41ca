"""Whether the service can do its work: what it stands on, asked now, and why not."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from common.errors import AgenticError, SystemFault

FRESH = 1.0
"""Seconds for which an answer is given again: probes come from anybody."""
PATIENCE = 1.5
"""Seconds: less than whoever probes us waits (2 s in the images)."""

Facts = dict[str, Any]


class Dependency(Protocol):
    """Something to stand on."""

    def __call__(self) -> Awaitable[None]:
        """Return when it can be used; raise what keeps it from that."""


class Loops(Protocol):
    """What goes on beside the requests."""

    def states(self) -> dict[str, str | None]:
        """Return for each loop why it does not run any more; None: it does."""


@dataclass
class _Answer:
    facts: asyncio.Task[Facts]
    asked: float


class Readiness:
    """Asks each dependency, with a write where it has to take writes; knows whether the loops run."""

    def __init__(
        self, role: str, fixed: Facts, dependencies: dict[str, Dependency], loops: Loops
    ) -> None:
        """Take facts that do not change, by dependency, and how each is asked."""
        self._role = role
        self._fixed = fixed
        self._dependencies = dependencies
        self._loops = loops
        self._last: _Answer | None = None

    async def facts(self) -> Facts:
        """Return the state of everything; raise `unavailable` with what is not ready, and why."""
        now = time.monotonic()
        if self._last is None or (self._last.facts.done() and now - self._last.asked > FRESH):
            self._last = _Answer(asyncio.create_task(self._ask()), now)
        facts = await asyncio.shield(self._last.facts)
        reasons = [
            f"{name}: {state['reason']}" for name, state in facts.items() if "reason" in state
        ]
        if reasons:
            raise SystemFault("unavailable", "; ".join(reasons))
        return {"role": self._role, **facts}

    async def _ask(self) -> Facts:
        names, asked = self._dependencies.keys(), self._dependencies.values()
        states = await asyncio.gather(*(_state(dependency()) for dependency in asked))
        facts = {
            name: state | self._fixed.get(name, {})
            for name, state in zip(names, states, strict=True)
        }
        for name, reason in self._loops.states().items():
            facts[name] = {"state": "ok"} if reason is None else _not_ok("failed", reason)
        return facts


async def _state(pending: Awaitable[None]) -> Facts:
    try:
        async with asyncio.timeout(PATIENCE):
            await pending
    except AgenticError as failure:
        return _not_ok(failure.code, failure.detail)
    except TimeoutError:
        return _not_ok("unavailable", "it does not answer in time")
    return {"state": "ok"}


def _not_ok(state: str, reason: str) -> Facts:
    return {"state": state, "reason": reason}
