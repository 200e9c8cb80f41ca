"""The `counting` planner, for a copy of the tree: it writes down when it is asked.

It gives three changes in one decision, and is through when those are done.
"""

import os
from pathlib import Path

from common.runs import PlannerSpec, RunCreate
from common.tools import Tools
from orchestrator.planners.decisions import Call, CallTools, Decision, Finish
from orchestrator.planners.protocol import History, Surroundings

CALLS = 3


class Added:
    """Notes the number of steps that it was told of, each time."""

    spec = PlannerSpec(name="counting", description="Appends three lines.")
    checks_tools = False
    converses = True  # as a model, which is paid for each answer: it is asked when all is stored

    def check(self, _asked: RunCreate, _tools: Tools) -> None:
        """Take every run."""

    async def next(self, history: History, _around: Surroundings) -> Decision:
        """Return all calls at once, or that they are done."""
        _note(len(history.steps))
        if history.steps:
            return Finish("three lines")
        return CallTools([_append(n) for n in range(CALLS)])


def _append(n: int) -> Call:
    return Call(f"s{n}", "append_file", {"path": "log", "content": f"{n}\n"})


def _note(steps: int) -> None:
    with Path(os.environ["ASKED_FILE"]).open("a") as file:
        file.write(f"{steps}\n")
