"""The planners there are: a new one is a file of its own and a line here."""

from collections.abc import Mapping

from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.protocol import Planner
from orchestrator.planners.rules.planner import RulesPlanner

PLANNERS: Mapping[str, Planner] = {
    planner.spec.name: planner for planner in (PlanPlanner(), RulesPlanner())
}


def default_planner(*, has_plan: bool) -> str:
    """Return the planner of a run that names none."""
    return "plan" if has_plan else "rules"
