"""The `rules` planner: plain-English file commands, understood without any model.

The grammar is in grammar.lark; docs/rules.md shows every form.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from common.errors import ClientError
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import Tools
from orchestrator.planners.decisions import Call, CallTools, Decision, Finish
from orchestrator.planners.protocol import History, Surroundings
from orchestrator.planners.rules.commands import Command


class RulesPlanner:
    """Derives everything from the goal and the steps made: it remembers nothing in between."""

    spec = PlannerSpec(
        name="rules",
        description="Understands plain-English file commands such as: find *.py in src, then"
        " replace 'old' with 'new' in *.py. No model is needed.",
    )
    checks_tools = False
    converses = False

    def check(self, asked: RunCreate, _tools: Tools) -> None:
        """Raise `goal_not_understood` for what the grammar does not know."""
        if asked.goal is None:
            raise ClientError("goal_not_understood", "The 'rules' planner needs a goal")
        _parse(asked.goal)

    async def next(self, history: History, _around: Surroundings) -> Decision:
        """Return the calls of the first command that is not done; answer when all are."""
        # A long goal takes a tenth of a second to parse, and a thousand matches a while to count.
        return await asyncio.to_thread(_decide, history.goal or "", history.steps)


def _parse(goal: str) -> Sequence[Command]:
    # to make a parser of the grammar takes a sixth of the start: the first goal does, in its thread
    from orchestrator.planners.rules.parser import parse  # noqa: PLC0415

    return parse(goal)


def _decide(goal: str, steps: Sequence[Step]) -> Decision:
    commands = _parse(goal)
    done = _by_command(steps)
    begun = max(done, default=1)  # what comes before it is done: nothing of that is looked at again
    for number, command in enumerate(commands[begun - 1 :], start=begun):
        calls = command.calls(done[number])
        if calls:
            return CallTools(_named(number, len(done[number]), calls))
    return Finish(_answer(commands, done))


def _by_command(steps: Sequence[Step]) -> defaultdict[int, list[Step]]:
    """Return the steps by the number of the command that each was made for."""
    done: defaultdict[int, list[Step]] = defaultdict(list)
    for step in steps:
        done[int(step.name.split("_", 1)[0].removeprefix("c"))].append(step)
    return done


def _named(number: int, done: int, calls: Sequence[Call]) -> list[Call]:
    """Give the steps names that say which command they belong to: `c2_edit_3`."""
    return [
        replace(call, name=f"c{number}_{call.name}_{done + n}")
        for n, call in enumerate(calls, start=1)
    ]


def _answer(commands: Sequence[Command], done: Mapping[int, Sequence[Step]]) -> str:
    return "\n".join(
        command.answer(done.get(number, ())) for number, command in enumerate(commands, start=1)
    )
