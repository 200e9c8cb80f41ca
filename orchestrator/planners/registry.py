"""The planners there are: a new one is a file of its own, and its name here."""

from collections.abc import Mapping

from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.protocol import Planner
from orchestrator.planners.rules.planner import RulesPlanner

_ALL: tuple[Planner, ...] = (
    PlanPlanner(),
    RulesPlanner(),
)
PLANNERS: Mapping[str, Planner] = {planner.spec.name: planner for planner in _ALL}


def default_planner(*, has_plan: bool) -> str:
    """Return the planner of a run that names none."""
    return "plan" if has_plan else "rules"
