"""Models that are opened when they are needed; a deployment without any."""

import subprocess
import sys

import pytest

from common.errors import ClientError
from common.plans import Usage
from common.runs import RunCreate
from orchestrator.planners.llm.config import ModelConfig, UnusableModel
from orchestrator.planners.llm.loading import LazyModel, make_llm_planner, make_models, opened
from orchestrator.planners.registry import default_planner

CONFIG = ModelConfig(model="openai:one", others=("anthropic:two", "openai:one"))


class Opened:
    """What an opener returns."""

    context = 4096

    def __init__(self):
        self.is_closed = False

    async def ask(self, request, say):
        return request

    def price_of(self, usage):
        return 2.0

    async def close(self):
        self.is_closed = True


async def test_a_model_is_opened_once_and_closed_at_the_end():
    """A client has a pool of connections: a second one would be lost."""
    made = []

    def opener(name, config):
        made.append(Opened())
        return made[-1]

    model = LazyModel("openai:one", CONFIG, opener)
    async with opened([model]):
        assert (await model.ask("request", None), model.context) == ("request", 4096)
        assert model.price_of(Usage()) == 2.0
    assert [it.is_closed for it in made] == [True]


async def test_a_model_that_cannot_be_used_refuses_the_start_and_closes_the_others():
    """A wrong name is found when the service starts, not when the first run fails."""
    first = Opened()

    def refuse(name, config):
        raise UnusableModel("there is no such provider")

    models = [LazyModel("a:b", CONFIG, lambda *_: first), LazyModel("c:d", CONFIG, refuse)]
    with pytest.raises(UnusableModel):
        async with opened(models):
            pytest.fail("it has started")
    assert first.is_closed


def test_the_models_of_a_deployment_are_the_default_and_the_others_once_each():
    """A run names one of them; the first is taken otherwise."""
    assert [model.name for model in make_models(CONFIG)] == ["openai:one", "anthropic:two"]
    assert make_models(None) == ()


def test_without_a_model_the_planner_says_so_and_takes_no_run():
    """`GET /v1/planners` names the setting that is missing."""
    planner = make_llm_planner(None)
    assert (planner.spec.name, planner.spec.available) == ("llm", False)
    assert "ORCHESTRATOR_MODEL" in planner.spec.reason
    with pytest.raises(ClientError, match="ORCHESTRATOR_MODEL") as raised:
        planner.check(RunCreate(goal="do it"), {})
    assert raised.value.code == "invalid_request"
    assert default_planner({"llm": planner}, has_plan=False) == "rules"


def test_a_deployment_that_only_answers_clients_imports_nothing_that_speaks_to_models():
    """That is a hundred mebibytes and seconds of a start."""
    program = (
        "import sys; from orchestrator.planners.llm.loading import *;"
        "from orchestrator.planners.llm.config import ModelConfig;"
        "make_models(ModelConfig(model='openai:one'));"
        "sys.exit('pydantic_ai' in sys.modules or 'openai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
