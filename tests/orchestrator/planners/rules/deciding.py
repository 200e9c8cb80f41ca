"""Asks the rules planner what comes next after steps that a test makes up."""

from orchestrator.planners.protocol import History, Surroundings
from orchestrator.planners.rules.planner import RulesPlanner
from tests.orchestrator.builders import step


async def decide(goal, *made):
    """Return what the planner does next after these steps."""
    return await RulesPlanner().next(History(goal, None, made), Surroundings())


def done(name, output=None, error=None):
    """Return a step that was made."""
    status = "failed" if error else "succeeded"
    problem = None if error is None else error.problem("execution_environment", "r")
    return step(name=name, status=status, output=output, error=problem)


def hit(path, line=1):
    """Return a match."""
    return {"path": path, "line": line, "column": 1, "text": "old", "before": [], "after": []}


def found(*hits, truncated=False):
    """Return what a search gives."""
    return {"matches": [*hits], "total": len(hits), "truncated": truncated}
