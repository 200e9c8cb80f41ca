"""The planners there are: a new one is a file of its own, and its name here."""

from collections.abc import Mapping, Sequence

from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import Model
from orchestrator.planners.llm.loading import make_llm_planner
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.protocol import Planner
from orchestrator.planners.rules.planner import RulesPlanner

Planners = Mapping[str, Planner]


def planners_of(config: ModelConfig | None, models: Sequence[Model] = ()) -> Planners:
    """Return the planners of a deployment by name; without a model, one of them only says so.

    `models`: those of the configuration, where somebody has made them.
    """
    every: tuple[Planner, ...] = (
        PlanPlanner(),
        RulesPlanner(),
        make_llm_planner(config, models),
    )
    return {planner.spec.name: planner for planner in every}


def default_planner(planners: Planners, *, has_plan: bool) -> str:
    """Return the planner of a run that names none."""
    if has_plan:
        return "plan"
    return "llm" if planners["llm"].spec.available else "rules"
