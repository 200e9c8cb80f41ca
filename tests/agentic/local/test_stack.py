"""Starting and stopping the stack, with small processes in place of the services."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from agentic.local.ownership import StackError
from agentic.local.stack import running_stack

UP = [sys.executable, "-c", "from agentic.cli import main; main()", "up", "--port", "0"]


def settings(directory, name):
    """What a service was started with."""
    return json.loads((directory / f"{name}.env").read_text())


def is_running(pid):
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_both_services_are_ready_inside_and_stopped_in_reverse_afterwards(place):
    """The orchestrator needs the execution environment to end its calls in order."""
    directory = place()
    async with running_stack(directory / "data") as stack:
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(stack.url)).is_success
        assert not (directory / "stopped").exists()
    assert (directory / "stopped").read_text().split() == ["orchestrator", "execution_environment"]
    assert (
        (directory / "data/logs/orchestrator.log").read_text().startswith("orchestrator speaking")
    )


async def test_the_services_share_a_fresh_secret_and_one_data_directory(place):
    """Nobody else on the machine may call the execution environment."""
    directory, tokens = place(), set()
    for _ in range(2):
        async with running_stack(directory / "data") as stack:
            execution = settings(directory, "execution_environment")
            main = settings(directory, "orchestrator")
        assert main["ORCHESTRATOR_SERVICE_TOKEN"] == execution["EXEC_ENV_SERVICE_TOKEN"]
        assert main["ORCHESTRATOR_EXECUTION_URL"] == stack.execution_url
        assert Path(execution["EXEC_ENV_DATA_DIR"]) / "workspaces" == stack.workspaces
        assert Path(main["ORCHESTRATOR_DATA_DIR"]).parent == directory / "data"
        assert main["ORCHESTRATOR_SERVICE_TOKEN"] not in repr(stack)
        tokens.add(main["ORCHESTRATOR_SERVICE_TOKEN"])
    assert len(tokens) == 2


async def test_the_execution_environment_inherits_no_key_of_a_model(place, monkeypatch):
    """It does what a model asks for; the key is the orchestrator's."""
    for name in ("ORCHESTRATOR_MODEL_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-secret")
    directory = place()
    async with running_stack(directory / "data"):
        assert settings(directory, "execution_environment")["keys"] == []
        kept = settings(directory, "orchestrator")["keys"]
    assert {"OPENAI_API_KEY", "ORCHESTRATOR_MODEL_API_KEY"} <= set(kept)


async def test_the_terminals_ctrl_c_does_not_reach_the_services(place):
    """They would end at once and out of order."""
    directory = place()
    async with running_stack(directory / "data"):
        assert settings(directory, "orchestrator")["sid"] != os.getsid(0)


@pytest.mark.parametrize("name", ["execution_environment", "orchestrator"])
async def test_a_service_that_does_not_start_is_told_with_its_last_words(place, name):
    """And the other one is not left behind."""
    directory = place(**{name: "dead at once"})
    with pytest.raises(StackError, match=rf"(?s){name} ended \(exit code 1\).*there is no disk"):
        async with running_stack(directory / "data"):
            pytest.fail("it is not ready")
    for other in directory.glob("*.env"):
        assert not is_running(json.loads(other.read_text())["pid"])


async def test_a_stack_that_does_not_get_ready_is_given_up(place):
    """Within the time given; what was started is stopped."""
    directory = place(orchestrator="never ready")
    with pytest.raises(StackError, match="was not ready within 2 seconds"):
        async with running_stack(directory / "data", start_timeout=2):
            pytest.fail("it is not ready")
    assert "execution_environment" in (directory / "stopped").read_text()


async def test_a_service_that_does_not_stop_is_killed(place):
    """Ctrl-C must end, whatever a service does."""
    directory = place(orchestrator="stubborn")
    async with running_stack(directory / "data", stop_timeout=0.2):
        pid = settings(directory, "orchestrator")["pid"]
    assert not is_running(pid)
    assert (directory / "stopped").read_text() == "execution_environment\n"


async def test_a_stack_on_a_port_that_is_taken_is_refused(place):
    """Whoever listens there would answer for the stack: it was announced, and ended a moment later."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(StackError, match="--port 0 takes a free one"),
    ):
        async with running_stack(place, taken.getsockname()[1]):
            pytest.fail("it was started")


async def test_logs_are_kept_and_an_error_quotes_this_start_only(place):
    """Emptied logs lost why the last stack had ended; old lines would explain the wrong end."""
    directory = place()
    for _ in range(2):
        async with running_stack(directory / "data"):
            pass
    place(orchestrator="dead at once")
    with pytest.raises(StackError) as failure:
        async with running_stack(directory / "data"):
            pytest.fail("it is not ready")
    log = (directory / "data/logs/orchestrator.log").read_text()
    assert log.count("orchestrator speaking") == 3
    assert str(failure.value).count("orchestrator speaking") == 1


async def test_a_service_that_ends_by_itself_is_noticed(place):
    """Half a stack serves nobody."""
    directory = place()
    async with running_stack(directory / "data") as stack:
        os.kill(settings(directory, "orchestrator")["pid"], signal.SIGKILL)
        assert "orchestrator ended (exit code -9)" in str(await stack.ended())


def up(then, *options):
    """Run `agentic up`, do something when it serves, and return how it ended."""
    with subprocess.Popen(
        [*UP, "--data-dir", "data", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while "Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        then(process)
        output, _ = process.communicate(timeout=30)
    return process.returncode, output


MODEL = {
    "ORCHESTRATOR_MODEL": "openai:m",
    "ORCHESTRATOR_MODEL_BASE_URL": "http://127.0.0.1:1/v1",
    "ORCHESTRATOR_MODELS": "openai:a,openai:b",
    "ORCHESTRATOR_MODEL_CONTEXT": "4096",
    "ORCHESTRATOR_MODEL_API_KEY": "secret",
}


def test_up_passes_its_model_on(place, monkeypatch):
    """To the orchestrator alone; what the environment says of it counts as before."""
    directory = place()
    monkeypatch.setenv("ORCHESTRATOR_MODEL", "openai:other")
    monkeypatch.setenv("ORCHESTRATOR_MODEL_API_KEY", "secret")
    options = ["--model", "openai:m", "--base-url", "http://127.0.0.1:1/v1"]
    options += ["--models", "openai:a,openai:b", "--context", "4096"]
    assert up(lambda process: process.send_signal(signal.SIGINT), *options)[0] == 0
    started = settings(directory, "orchestrator")
    assert {name: started.get(name) for name in MODEL} == MODEL
    assert "MODEL" not in " ".join(settings(directory, "execution_environment"))


def test_up_without_options_leaves_the_model_to_the_environment(place, monkeypatch):
    """As it was before there were any."""
    directory = place()
    monkeypatch.setenv("ORCHESTRATOR_MODEL", "openai:other")
    assert up(lambda process: process.send_signal(signal.SIGINT), "--context", "4096")[0] == 0
    started = settings(directory, "orchestrator")
    assert (started["ORCHESTRATOR_MODEL"], started["ORCHESTRATOR_MODEL_CONTEXT"]) == (
        "openai:other",
        "4096",
    )


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_ends_cleanly_on_each_stop_signal(place, number):
    """A closed terminal left both services running, and their port taken."""
    directory = place()
    assert up(lambda process: process.send_signal(number)) == (0, "stopped\n")
    assert (directory / "stopped").read_text().split() == ["orchestrator", "execution_environment"]


def test_up_reports_a_service_that_dies_and_stops_the_rest(place):
    """Exit code 1, so that a supervisor starts both again."""
    directory = place()
    code, output = up(lambda _: os.kill(settings(directory, "orchestrator")["pid"], signal.SIGKILL))
    assert code == 1
    assert "orchestrator ended (exit code -9)" in output
    assert (directory / "stopped").read_text() == "execution_environment\n"
