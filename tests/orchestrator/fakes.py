"""Stand-ins that are handed in through constructors."""

import asyncio
import inspect
from datetime import timedelta

from common.errors import AgenticError, ClientError, SystemFault, ToolError
from common.plans import Usage
from common.runs import PlannerSpec
from common.tools import Settlement, ToolResult, ToolSpec
from orchestrator.engine.deciding.decisions import Decider
from orchestrator.engine.deciding.instructions import WorkspaceInstructions
from orchestrator.engine.gate import Gate
from orchestrator.engine.runner import Runner
from orchestrator.engine.steps import StepMaker
from orchestrator.engine.turns import TurnMaker
from orchestrator.planners.decisions import Call, CallTools, Finish, ModelAnswer
from tests.orchestrator.builders import receipt


class ScriptedExecutor:
    """Answers each attempt with the next outcome: a result, an output, an error to raise, or a function.

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
        if isinstance(outcome, ToolResult):
            return outcome
        return self._result(call.id, outcome)

    async def call_many(self, calls, traceparent=None):
        """Make an attempt at each."""
        return await asyncio.gather(*(self._ended(call, traceparent) for call in calls))

    async def _ended(self, call, traceparent):
        try:
            return await self.run(call, traceparent)
        except AgenticError as failure:
            return failure

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


class OneByOne(ScriptedExecutor):
    """An older execution environment, which takes no batches."""

    async def call_many(self, calls, traceparent=None):
        """Say so."""
        raise ClientError("route_not_found", "There is nothing at this address")


class ScriptedPlanner:
    """Makes these calls one by one, then finishes."""

    spec = PlannerSpec(name="rules", description="d")
    checks_tools = False
    converses = False

    def __init__(self, *calls):
        self.calls = calls

    def check(self, asked, tools):
        """Everything is fine."""

    async def next(self, history, around):
        """Return the next call."""
        done = len(history.steps)
        return CallTools([self.calls[done]]) if done < len(self.calls) else Finish("all done")


class DecisivePlanner(ScriptedPlanner):
    """Makes all calls in one decision, then finishes; `asked` counts how often it was asked."""

    def __init__(self, *calls):
        super().__init__(*calls)
        self.asked = 0

    async def next(self, history, around):
        """Return all calls, once."""
        self.asked += 1
        return Finish("all done") if history.steps else CallTools(self.calls)


class ConversingPlanner(ScriptedPlanner):
    """Decides as a model's planner does: each time what comes next, a decision or a function for one.

    `told` are the histories that it was given.
    """

    converses = True

    def __init__(self, *decisions):
        super().__init__()
        self.decisions = list(decisions)
        self.told = []

    async def next(self, history, around):
        """Note what it is told; decide."""
        self.told.append(history)
        decision = self.decisions.pop(0)
        return await decision(around) if inspect.iscoroutinefunction(decision) else decision


def answered(tokens=0, cost=None, text=None):
    """Return a model's answer that took so many tokens and US dollars."""
    return ModelAnswer(
        {"role": "assistant"}, "a-model", Usage(input_tokens=tokens, cost=cost), text
    )


TOOLS = {
    name: ToolSpec(name=name, description="d", effect=effect, arguments_schema={}, output_schema={})
    for name, effect in {"read_file": "read", "write_file": "write"}.items()
}


def runner_of(
    store,
    executor,
    planner,
    call_timeout=5.0,
    parallel_reads=8,
    name="rules",
    tools=None,
    patience=None,
):
    """Return a runner that knows one planner; `tools` tells the tools there are, `patience` how long it waits."""

    async def usual_tools():
        return TOOLS

    timeout = timedelta(seconds=call_timeout)
    steps = StepMaker(store.progress, executor, timeout)
    instructions = WorkspaceInstructions(executor, timeout)
    decider = Decider({name: planner}, tools or usual_tools, store, instructions)
    gate = Gate(store.rules, tools or usual_tools, executor, timeout)
    return Runner(store, decider, TurnMaker(gate, steps, parallel_reads), patience)


def call(name="a", tool="read_file", **more):
    """Return a call of a tool."""
    return Call(name, tool, {"path": "x"}, **more)


async def until(condition, seconds=20.0):
    """Wait for a condition, not for a time."""
    async with asyncio.timeout(seconds):
        while not await condition() if inspect.iscoroutinefunction(condition) else not condition():
            await asyncio.sleep(0.005)


def lost(times=1):
    """Return answers that were lost."""
    return [SystemFault("upstream_failed", "the connection broke") for _ in range(times)]


def broken_inside():
    """Return what the execution environment answers when it fails itself."""
    failure = SystemFault("internal", "a bug")
    failure.source = "execution_environment"
    return failure


NO_FILE = ToolError("path_not_found", "There is no such file")
"""What reading AGENTS.md comes to in most workspaces: the first outcome of a run that converses."""


def fenced(highest):
    """Return the refusal of a stale fence."""
    return ClientError("fenced", "a newer owner", limit=highest, actual=1)
