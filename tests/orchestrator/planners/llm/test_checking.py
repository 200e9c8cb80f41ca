"""What the llm planner refuses before its model is asked."""

import pytest

from common.errors import ClientError
from common.plans import Plan
from common.runs import Budget, RunCreate
from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.planner import LlmPlanner
from tests.orchestrator.planners.llm.talking import TOOLS, ScriptedModel

PLAN = Plan.model_validate({"steps": [{"name": "a", "tool": "t"}]})


def planner(price=None):
    """Return a planner of two models."""
    models = [ScriptedModel([], name, price=price) for name in ("fake:one", "fake:two")]
    return LlmPlanner(models, ModelConfig("fake:one"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"goal": None, "plan": PLAN}, "needs a goal"),
        ({"model": "fake:tow"}, "no model 'fake:tow'"),
        ({"budget": Budget(cost=1)}, "No price is known"),
        ({"tools": ["read_file", "read_fil"]}, "no tool 'read_fil'"),
        ({"output_schema": {"type": 3}}, "output_schema"),
    ],
)
def test_a_run_that_a_model_cannot_do_is_refused_when_it_is_made(asked, told):
    """Each with what to correct."""
    with pytest.raises(ClientError) as caught:
        planner().check(RunCreate(**{"goal": "x", **asked}), TOOLS)
    assert caught.value.code == "invalid_request"
    assert told in caught.value.detail


def test_a_near_name_of_a_model_or_a_tool_is_named():
    """It was a slip of the pen."""
    for asked, meant in (
        ({"model": "fake:tow"}, "fake:two"),
        ({"tools": ["read_fil"]}, "read_file"),
    ):
        with pytest.raises(ClientError) as caught:
            planner().check(RunCreate(goal="x", **asked), TOOLS)
        assert meant in caught.value.hint


def test_a_run_is_taken_with_all_that_a_model_can_do():
    """A bound on its cost needs a price; naming no tools needs no tools."""
    planner().check(RunCreate(goal="x", model="fake:two"), {})
    asked = RunCreate(
        goal="x", tools=["read_file", "ask_user"], budget=Budget(cost=1), output_schema={}
    )
    planner(price=0.1).check(asked, TOOLS)


def test_a_planner_names_its_models_the_deployments_own_first():
    """A run may name one of them."""
    spec = planner().spec
    assert (spec.name, spec.models, spec.available) == ("llm", ["fake:one", "fake:two"], True)
