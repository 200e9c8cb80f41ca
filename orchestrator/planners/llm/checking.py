"""What can be said against a run before its model is asked."""

from collections.abc import Mapping, Sequence

from common.errors import ClientError
from common.plans import Usage
from common.runs import RunCreate
from common.tools import Tools, did_you_mean
from orchestrator.planners.llm.answers.output_schema import check_schema
from orchestrator.planners.llm.conversation import Model
from orchestrator.planners.llm.toolbox import ASK_USER

MAX_NAME = 200
_SOME = Usage(input_tokens=1000, output_tokens=1000)


def check_run(asked: RunCreate, models: Mapping[str, Model], default: Model, tools: Tools) -> None:
    """Raise ClientError `invalid_request` for what the planner cannot do."""
    if asked.goal is None:
        raise ClientError("invalid_request", "The 'llm' planner needs a goal, and takes no plan")
    model = default if asked.model is None else models.get(asked.model)
    if model is None:
        raise _unknown_model(asked.model or "", models)
    if asked.budget.cost is not None and model.price_of(_SOME) is None:
        raise ClientError(
            "invalid_request",
            f"No price is known of {model.name}, so that budget.cost could not be kept",
            hint="Bound the run by budget.tokens.",
        )
    if asked.output_schema is not None:
        check_schema(asked.output_schema)
    _check_tools(asked.tools or (), tools)


def _unknown_model(name: str, models: Mapping[str, Model]) -> ClientError:
    return ClientError(
        "invalid_request",
        f"There is no model '{name[:MAX_NAME]}' here",
        hint=did_you_mean(name, models) or f"There are {', '.join(models)}.",
    )


def _check_tools(wanted: Sequence[str], tools: Tools) -> None:
    for name in wanted:
        if name not in tools and name != ASK_USER:
            raise ClientError(
                "invalid_request",
                f"There is no tool '{name}'",
                hint=did_you_mean(name, tools) or f"There are {', '.join(sorted(tools))}.",
            )
