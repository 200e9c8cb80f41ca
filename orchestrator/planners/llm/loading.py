"""Makes the planner of a deployment that has a model; what speaks to models is imported only then."""

from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.protocol import Planner


def make_llm_planner(config: ModelConfig | None) -> Planner:
    """Return the planner; without a model, one that says so and takes no runs."""
    raise NotImplementedError
