"""What `make try-model` asks of whom, and how it judges what it hears. No model is asked here."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench.try_model.__main__ import main, settings_of
from bench.try_model.report import show_trial, table_of
from bench.try_model.tasks import TASKS
from bench.try_model.trying import MAX_ANSWERS, try_task
from common.errors import SystemFault
from common.ids import new_id
from common.runs import Event, Run
from tests.orchestrator.builders import step

[ANSWER] = [task for task in TASKS if task.name == "answer"]
NOW = "2026-01-01T00:00:00Z"
RUN, SESSION = new_id("run"), new_id("ses")


def run_of(status="succeeded", error=None, answer="42", steps=()):
    """Return a run as a client reads it."""
    result = {"answer": answer, "changes": []} if answer is not None else None
    return Run.model_validate(
        {
            "id": RUN, "session_id": SESSION, "status": status, "goal": "g", "planner": "llm",
            "plan": None, "steps": [it.model_dump(mode="json") for it in steps], "result": result,
            "error": error, "revision": 1, "created_at": NOW,
        }
    )  # fmt: skip


def problem(code):
    """Return an error as it travels."""
    return SystemFault(code, "d").problem("orchestrator", None).model_dump(mode="json")


class FakeClient:
    """Plays one run: its events, then its end; notes what it is told."""

    def __init__(self, end, events=()):
        self.end, self.kinds, self.told = end, events, []

    async def create_session(self, workspace):
        """Return a session."""
        return SimpleNamespace(id=SESSION)

    async def start_run(self, session_id, **asked):
        """Return a run that has begun."""
        if isinstance(self.end, Exception):
            raise self.end
        return run_of("queued", answer=None)

    async def events(self, session_id, run_id):
        """Yield what happens."""
        for seq, kind in enumerate(self.kinds, start=1):
            yield Event(seq=seq, type=kind, time=NOW, session_id=SESSION, data={})

    async def run(self, session_id, run_id):
        """Return the run as it ended."""
        return self.end

    async def turns(self, session_id, run_id):
        """Return as many turns as there are: nobody looks into them."""
        return [None] * 2

    async def send(self, session_id, run_id, text):
        """Note the answer."""
        self.told.append(text)

    async def cancel_run(self, session_id, run_id):
        """Note that it was cancelled."""
        self.told.append("cancel")


async def test_try_task_that_came_out_right_has_no_faults(tmp_path):
    """The control: turns are counted, the answer among them; files are looked at."""
    client = FakeClient(run_of(), ["run.started", "turn.decided", "run.succeeded"])
    trial = await try_task(client, ANSWER, tmp_path)
    assert (trial.wrong, trial.faults, trial.attempts[0].turns) == ([], [], 2)


@pytest.mark.parametrize(
    ("end", "faults"),
    [
        (run_of("failed", problem("internal"), None), ["a run was told internal"]),
        (run_of("failed", problem("model_not_found"), None), ["a run was told model_not_found"]),
        (run_of("failed", problem("upstream_failed"), None), []),
        (run_of("running", answer=None), ["a run has ended as running"]),
        (
            run_of(steps=[step(status="failed", error=SystemFault("internal", "d").problem("orchestrator", None))]),
            ["a run was told internal"],
        ),
        (SystemFault("unavailable", "gone"), ["the client was told unavailable: gone"]),
    ],
)  # fmt: skip
async def test_try_task_tells_the_backends_faults_from_the_models(end, faults, tmp_path):
    """A model that fails its task is no failure of the backend; `internal` is."""
    trial = await try_task(FakeClient(end), ANSWER, tmp_path)
    assert trial.faults == faults


async def test_try_task_answers_questions_and_cancels_whoever_goes_on_asking(tmp_path):
    """A run that waits for a person would wait for ever."""
    client = FakeClient(run_of(), ["run.awaiting_input"] * (MAX_ANSWERS + 1))
    await try_task(client, ANSWER, tmp_path)
    assert client.told == [ANSWER.answer] * MAX_ANSWERS + ["cancel"]


async def test_report_says_of_each_task_what_was_done_and_what_is_wrong(tmp_path):
    """Whoever reads it wants to see the model's mistakes."""
    output = io.StringIO()
    console = Console(file=output, width=120)
    steps = [step(tool="read_file", arguments={"path": "[a]"}, status="succeeded")]
    trial = await try_task(FakeClient(run_of(answer="It is 41.", steps=steps)), ANSWER, tmp_path)
    show_trial(trial, console)
    console.print(table_of([trial], "m"))
    for told in ('read_file {"path": "[a]"}: succeeded', "It is 41.", "does not say 42", "0 of 1"):
        assert told in output.getvalue()


def test_try_model_without_a_model_says_what_it_needs(capsys):
    """It is no part of what runs by itself."""
    assert main([]) == 2
    assert "make try-model BASE_URL=" in capsys.readouterr().err
    assert main(["--model", "qwen"]) == 2
    assert "<provider>:qwen" in capsys.readouterr().err


def test_try_model_names_a_model_of_a_server_as_the_settings_do():
    """The names of local models hold colons of their own."""
    of_server = settings_of("qwen2.5:7b", "http://host/v1", 4096)
    assert of_server["ORCHESTRATOR_MODEL"] == "openai:qwen2.5:7b"
    assert of_server["ORCHESTRATOR_MODEL_BASE_URL"] == "http://host/v1"
    assert of_server["ORCHESTRATOR_MODEL_CONTEXT"] == "4096"
    assert settings_of("openai:m", "http://host/v1", None)["ORCHESTRATOR_MODEL"] == "openai:m"
    assert settings_of("anthropic:m", "", None) == {"ORCHESTRATOR_MODEL": "anthropic:m"}
