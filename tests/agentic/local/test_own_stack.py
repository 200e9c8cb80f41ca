"""Commands that bring up a stack of their own for a model, with small processes as its services."""

import json

import pytest
from typer.testing import CliRunner

from agentic.commands.app import app
from agentic.local.ownership import owning
from agentic.work.ending import ExitCode
from common.runs import RunResult
from tests.agentic.fakes import RUN_ID, SESSION, a_run, an_event

MODEL = ["--model", "openai:m", "--base-url", "http://127.0.0.1:1/v1"]


@pytest.fixture
def stack(place):
    """Fakes that open a session and end its runs at once; returns where they keep their notes."""
    directory = place()
    run = a_run(result=RunResult(answer="Done.", changes=[])).model_dump_json()
    event = f"data: {an_event(1, 'run.succeeded').model_dump_json()}\n\n"
    answers = {"/sessions": SESSION.model_dump_json(), "/runs": run, RUN_ID: run, "/events": event}
    (directory / "answers.json").write_text(json.dumps(answers))
    return directory


def agentic(*arguments, **more):
    """Run the command in this process, with its data beside the fakes'."""
    return CliRunner().invoke(app, [*arguments, "--data-dir", "data"], **more)


def started(directory):
    """What the orchestrator was started with."""
    return json.loads((directory / "orchestrator.env").read_text())


def test_a_run_with_a_base_url_needs_no_server(stack, monkeypatch):
    """It brings the services up with the model, shows the run, and ends them; the key is inherited."""
    monkeypatch.setenv("ORCHESTRATOR_MODEL_API_KEY", "secret")
    ended = agentic("run", "list", *MODEL, "--budget-tokens", "900")
    assert (ended.exit_code, ended.stdout.splitlines()[0]) == (0, "Done."), ended.output
    settings = started(stack)
    assert settings["ORCHESTRATOR_MODEL"] == "openai:m"
    assert settings["ORCHESTRATOR_MODEL_BASE_URL"] == "http://127.0.0.1:1/v1"
    assert settings["ORCHESTRATOR_MODEL_API_KEY"] == "secret"
    assert (stack / "stopped").read_text().split() == ["orchestrator", "execution_environment"]
    _, run = map(json.loads, (stack / "orchestrator.posted").read_text().splitlines())
    assert (run["goal"], run["budget"]["tokens"]) == ("list", 900)
    assert "model" not in run  # it is the deployment's own


def test_a_local_run_asks_the_provider_itself(stack):
    """No address is the provider's own."""
    ended = agentic("run", "list", "--local", "--model", "anthropic:m")
    assert ended.exit_code == 0, ended.output
    settings = started(stack)
    assert settings["ORCHESTRATOR_MODEL"] == "anthropic:m"
    assert "ORCHESTRATOR_MODEL_BASE_URL" not in settings


def test_a_chat_can_have_a_stack_of_its_own(stack):
    """For its length: both runs are of one stack."""
    ended = agentic("chat", *MODEL, input="first\nsecond\n")
    assert ended.exit_code == 0, ended.output
    assert len((stack / "orchestrator.posted").read_text().splitlines()) == 3
    assert (stack / "stopped").read_text().split() == ["orchestrator", "execution_environment"]


def test_a_run_of_its_own_leaves_a_stack_alone_that_serves_from_its_directory(stack):
    """And says what can be done."""
    with owning(stack / "data"):
        ended = agentic("run", "list", *MODEL)
    assert ended.exit_code == ExitCode.FAILED
    assert "serves from data already" in ended.stderr
    assert "--data-dir names another directory" in ended.stderr
    assert not (stack / "orchestrator.env").exists()
