"""The command as people run it: the main job, goals, plans, exit codes."""

import json
import signal
import subprocess
import sys

import pytest

from agentic import AgenticClient
from tests.system.services import free_port, wait_until

AGENTIC = [sys.executable, "-c", "from agentic.cli import main; main()"]


def agentic(*arguments, **more):
    """Run the command to its end."""
    return subprocess.run(
        [*AGENTIC, *arguments], capture_output=True, text=True, timeout=60, check=False, **more
    )


def test_the_main_job_succeeds_and_is_checked_on_disk():
    """What `make run` runs."""
    ended = agentic("demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "DIFFERS" not in ended.stdout
    assert ended.stdout.endswith("everything is as it should be\n")


def test_a_goal_and_a_plan_are_run_and_shown(shared, tmp_path):
    """Steps, diff, answer; a plan from a file or from stdin."""
    url = ["--url", shared.main.url, "--workspace", "cli"]
    wrote = agentic("run", "write 'hello\\n' to a.txt, then read a.txt", *url)
    assert (wrote.returncode, wrote.stderr) == (0, "")
    assert "+hello" in wrote.stdout
    assert "Wrote 'a.txt'" in wrote.stdout
    plan = {"steps": [{"name": "look", "tool": "read_file", "arguments": {"path": "nope"}}]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    failed = agentic("run", "--plan", str(tmp_path / "plan.json"), *url)
    assert failed.returncode == 1
    assert "[path_not_found]" in failed.stdout
    assert "hint: " in failed.stdout
    assert agentic("run", "--plan", "-", *url, input=json.dumps(plan)).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run"], 2),
        (["run", "list", "--plan", "x"], 2),
        (["run", "--plan", "/nonexistent"], 2),
        (["run", "--plan", "-"], 2),
        (["run", "list", "--url", "http://127.0.0.1:1"], 5),
        (["tools", "--url", "http://127.0.0.1:1"], 5),
        (["--version"], 0),
    ],
)
def test_exit_codes_tell_what_happened(arguments, code):
    """Scripts branch on them; never a traceback."""
    ended = agentic(*arguments, input="{}")
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("moment", ["goal: ", "  1  ok"])
def test_ctrl_c_ends_the_main_job(moment):
    """Wherever it is: exit code 3, and nothing is said of a disk that was not looked at."""
    with subprocess.Popen([*AGENTIC, "demo"], stdout=subprocess.PIPE, text=True) as process:
        while moment not in (line := process.stdout.readline()):
            assert line, "the moment did not come"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "as it should be" not in output


async def test_ctrl_c_cancels_the_run(shared):
    """And waits for its end: exit code 3."""
    demo = shared.demo.parent / "interrupted"
    demo.mkdir(parents=True)
    with (demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    command = [*AGENTIC, "run", "read the file sparse", "--workspace", "interrupted", "--url"]
    with subprocess.Popen(
        [*command, shared.main.url], stdout=subprocess.PIPE, text=True
    ) as process:
        async with AgenticClient(shared.main.url) as client:
            session = await _active_session(client, process)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=30)
            [run] = (await client.runs(session.id)).items
    assert (process.returncode, run.status) == (3, "cancelled")
    assert "cancelled" in output


async def _active_session(client, process):
    while process.poll() is None:
        for session in (await client.sessions()).items:
            if session.workspace == "interrupted" and session.active_run:
                return session
    raise AssertionError(process.stdout.read())


def test_the_whole_stack_comes_up_and_goes_down(tmp_path):
    """`agentic up` until SIGINT: exit code 0, and nothing of it stays."""
    port = free_port()
    command = [*AGENTIC, "up", "--port", str(port), "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(4)]
        assert str(port) in lines[0]
        assert agentic("tools", "--url", f"http://127.0.0.1:{port}").returncode == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    wait_until(lambda: agentic("tools", "--url", f"http://127.0.0.1:{port}").returncode == 5)


def test_a_stack_is_ended_from_elsewhere(tmp_path):
    """`agentic down` waits for the end; a second `up` on the same data is refused meanwhile."""
    directory = ["--data-dir", str(tmp_path)]
    assert "nothing is up" in agentic("down", *directory).stdout
    command = [*AGENTIC, "up", "--port", str(free_port()), *directory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "orchestrator" in process.stdout.readline()
        second = agentic("up", "--port", str(free_port()), *directory)
        assert (second.returncode, "serves from" in second.stderr) == (1, True)
        assert agentic("down", *directory).stdout == "stopped\n"
        assert process.wait(timeout=5) == 0
    assert "nothing is up" in agentic("down", *directory).stdout


def test_a_stack_that_cannot_start_says_why(tmp_path):
    """With the last lines of the service's log."""
    (tmp_path / "execution").write_text("in the way")
    ended = agentic("up", "--port", str(free_port()), "--data-dir", str(tmp_path))
    assert ended.returncode == 1
    assert "cannot be used" in ended.stderr
