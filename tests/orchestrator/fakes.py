"""Stand-ins that are handed in through constructors."""

import asyncio
import inspect

from common.runs import PlannerSpec
from common.tools import Receipt, Settlement, ToolResult
from orchestrator.planners.protocol import Call, CallTools, Finish


def receipt(path, sha256):
    """Return the receipt of a new file; without a hash, of one that is gone."""
    if sha256 is None:
        return Receipt(
            path=path, operation="delete", created=False, sha256_before=None, sha256_after=None,
            size=None, mode=None, bytes_written=0,
        )  # fmt: skip
    return Receipt(
        path=path, operation="create", created=True, sha256_before=None, sha256_after=sha256,
        size=1, mode="0644", bytes_written=1,
    )  # fmt: skip


class ScriptedExecutor:
    """Answers each attempt with the next outcome: an output, an error to raise, or a function.

    An output with a `sha256` comes with the receipt of a change. Settling a call says what
    `settlements` has next: an output when it had taken effect, None when not, or an error.
    """

    def __init__(self, *outcomes, settlements=()):
        self.outcomes = list(outcomes)
        self.settlements = list(settlements)
        self.calls = []
        self.settled = []

    async def run(self, call, traceparent=None):
        """Make an attempt."""
        self.calls.append((call, traceparent))
        outcome = self.outcomes.pop(0) if self.outcomes else {}
        if isinstance(outcome, Exception):
            raise outcome
        if inspect.iscoroutinefunction(outcome):
            outcome = await outcome()
        return self._result(call.id, outcome)

    def _result(self, call_id, outcome):
        receipts = [receipt("p", outcome["sha256"])] if "sha256" in outcome else []
        return ToolResult(id=call_id, tool="t", output=outcome, receipts=receipts, duration_ms=1.0)

    async def settle(self, call):
        """Say what became of a call."""
        self.settled.append(call.id)
        outcome = self.settlements.pop(0) if self.settlements else None
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is None:
            return Settlement(id=call.id, outcome="not_executed")
        return Settlement(id=call.id, outcome="executed", result=self._result(call.id, outcome))


class ScriptedPlanner:
    """Makes these calls one by one, then finishes."""

    spec = PlannerSpec(name="rules", description="d")

    def __init__(self, *calls):
        self.calls = calls

    def check(self, asked, tools):
        """Everything is fine."""

    async def next(self, history):
        """Return the next call."""
        done = len(history.steps)
        return CallTools([self.calls[done]]) if done < len(self.calls) else Finish("all done")


def call(name="a", **more):
    """Return a call of a tool."""
    return Call(name, "read_file", {"path": "x"}, **more)


async def until(condition, seconds=20.0):
    """Wait for a condition, not for a time."""
    async with asyncio.timeout(seconds):
        while not await condition() if inspect.iscoroutinefunction(condition) else not condition():
            await asyncio.sleep(0.005)
