"""The planners of a deployment with and without a model; nothing speaks to one."""

from common.runs import PlannerSpec
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.rules.planner import RulesPlanner


class ModelPlanner:
    """Stands for the planner that asks a model; `checked` has what it was asked to check."""

    checks_tools = False
    converses = True

    def __init__(self, *models):
        reason = None if models else "no model is configured"
        self.spec = PlannerSpec(
            name="llm", description="d", available=bool(models), reason=reason, models=list(models)
        )
        self.checked = []

    def check(self, asked, tools):
        """Note it."""
        self.checked.append(asked)


def planners(*models):
    """Return the planners by name."""
    every = (PlanPlanner(), RulesPlanner(), ModelPlanner(*models))
    return {planner.spec.name: planner for planner in every}
