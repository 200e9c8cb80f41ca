"""The `rules` planner: plain-English file commands, understood without any model.

The grammar is in grammar.lark; docs/rules.md shows every form.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from common.errors import ClientError
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import Tools
from orchestrator.planners.protocol import (
    Call,
    CallTools,
    Decision,
    Finish,
    History,
    Surroundings,
)
from orchestrator.planners.rules.commands import Command
from orchestrator.planners.rules.parser import parse

MAX_INLINE = 2000
"""Characters of a goal that are parsed in a few milliseconds."""


class RulesPlanner:
    """Derives everything from the goal and the steps made: it remembers nothing in between."""

    spec = PlannerSpec(
        name="rules",
        description="Understands plain-English file commands such as: find *.py in src, then"
        " replace 'old' with 'new' in *.py. No model is needed.",
    )

    def check(self, asked: RunCreate, _tools: Tools) -> None:
        """Raise `goal_not_understood` for what the grammar does not know."""
        if asked.goal is None:
            raise ClientError("goal_not_understood", "The 'rules' planner needs a goal")
        parse(asked.goal)

    async def next(self, history: History, _around: Surroundings) -> Decision:
        """Return the calls of the first command that is not done; answer when all are."""
        commands = await _parsed(history.goal or "")
        for number, command in enumerate(commands, start=1):
            done = _steps_of(number, history.steps)
            calls = command.calls(done)
            if calls:
                return CallTools(_named(number, len(done), calls))
        return Finish(_answer(commands, history.steps))


async def _parsed(goal: str) -> Sequence[Command]:
    """Parse a long goal off the event loop: it may take a tenth of a second."""
    return parse(goal) if len(goal) <= MAX_INLINE else await asyncio.to_thread(parse, goal)


def _prefix(number: int) -> str:
    return f"c{number}_"


def _steps_of(number: int, steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.name.startswith(_prefix(number))]


def _named(number: int, done: int, calls: Sequence[Call]) -> list[Call]:
    """Give the steps names that say which command they belong to: `c2_edit_3`."""
    return [
        replace(call, name=f"{_prefix(number)}{call.name}_{done + n}")
        for n, call in enumerate(calls, start=1)
    ]


def _answer(commands: Sequence[Command], steps: Sequence[Step]) -> str:
    return "\n".join(
        command.answer(_steps_of(number, steps)) for number, command in enumerate(commands, start=1)
    )
