"""One stack on one data directory, with small processes in place of the services."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentic.local.ownership import PID_FILE, StackError, free_port, owning, usable

AGENTIC = [sys.executable, "-c", "from agentic.cli import main; main()"]
DATA = ["--data-dir", "data"]
SERVICES = ("execution_environment", "orchestrator")


def agentic(*arguments):
    """Run the command to its end; return its exit code and what it printed."""
    ended = subprocess.run(
        [*AGENTIC, *arguments, *DATA], capture_output=True, text=True, timeout=30, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def up():
    """Start `agentic up`, and return its process when it serves; all is killed afterwards."""
    started = []

    def start():
        command = [*AGENTIC, "up", "--port", "0", *DATA]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        while "Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for file in Path().glob("*.env"):  # where the test failed, they may be there still
        pid = pid_of(Path(), file.stem)
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/cwd").readlink() == Path.cwd():
                os.kill(pid, signal.SIGKILL)


def wait_until(condition):
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come"
        time.sleep(0.02)


def pid_of(directory, name):
    """Return the process of a service."""
    return json.loads((directory / f"{name}.env").read_text())["pid"]


def runs(pid):
    """Tell whether a process goes on; one that nobody waits for has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_services_end_when_their_starter_is_killed(place, up):
    """They went on serving without control, and `down` said that nothing was up."""
    directory = place()
    up().kill()
    pids = [pid_of(directory, name) for name in SERVICES]
    wait_until(lambda: not any(map(runs, pids)))
    # the request to end may come twice: from each thread of the starter that ended
    assert set((directory / "stopped").read_text().split()) == set(SERVICES)
    process = up()
    assert agentic("down") == (0, "stopped\n")
    assert process.wait(timeout=10) == 0


def test_what_a_killed_stack_has_left_is_found_and_ended(place, up):
    """Until the last process has ended the directory is owned: `up` refuses, `down` ends it."""
    directory = place(orchestrator="lingering")
    up().kill()
    wait_until((directory / "orchestrator.asked").exists)
    code, told = agentic("up", "--port", "0")
    assert (code, "serves from data already; agentic down ends it" in told) == (1, True)
    assert runs(pid_of(directory, "orchestrator"))
    (directory / "release").touch()
    assert agentic("down") == (0, "stopped\n")
    assert not runs(pid_of(directory, "orchestrator"))
    assert agentic("down") == (0, "nothing is up\n")


def test_the_main_job_leaves_a_stack_alone_that_serves_from_its_directory(place, up):
    """It started a second stack on one ledger, and emptied the logs of the first."""
    directory = place()
    up()
    before = {name: pid_of(directory, name) for name in SERVICES}
    code, told = agentic("demo")
    assert (code, "serves from data already" in told) == (1, True)
    assert {name: pid_of(directory, name) for name in SERVICES} == before
    assert all(map(runs, before.values()))
    assert "speaking" in (directory / "data/logs/orchestrator.log").read_text()


@pytest.mark.parametrize("command", [["up", "--port", "0"], ["demo"]], ids=["up", "demo"])
def test_a_directory_that_cannot_be_used_is_told(place, command):
    """In a line that says what to do; it was a traceback of seventy."""
    (place() / "data").touch()
    code, told = agentic(*command)
    assert code == 1
    assert "cannot be used" in told
    assert "--data-dir names another" in told


def test_a_process_id_that_is_another_process_now_gets_no_signal(place, up):
    """Numbers are given out again: only who has the directory's file open is meant."""
    directory = place()
    process = up()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        numbers = (directory / "data" / PID_FILE).read_text()
        (directory / "data" / PID_FILE).write_text(f"{other.pid}\n{numbers}")
        assert agentic("down") == (0, "stopped\n")
        assert other.poll() is None
        other.kill()
    wait_until(lambda: process.poll() is not None)


def test_ending_a_stack_is_asked_of_its_starter_while_there_is_one(place, up):
    """Both services at once would end the execution environment under the orchestrator."""
    directory = place(orchestrator="lingering")
    process = up()
    process.send_signal(signal.SIGSTOP)
    with subprocess.Popen([*AGENTIC, "down", *DATA], stdout=subprocess.PIPE, text=True) as down:
        wait_until(lambda: is_asked(process.pid))
        assert not (directory / "orchestrator.asked").exists()
        assert not (directory / "stopped").exists()
        (directory / "release").touch()
        process.kill()  # what it cannot do any more is asked of the services themselves
        assert down.communicate(timeout=20) == ("stopped\n", None)


def is_asked(pid):
    """Tell whether SIGTERM waits for a process that is stopped."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pending = next(line for line in lines if line.startswith("ShdPnd"))
    return bool(int(pending.split()[1], 16) & 1 << signal.SIGTERM - 1)


def test_a_garbled_pid_file_ends_nobody_and_is_no_traceback(place, up):
    """Somebody wrote into it: the stack's own pids count, and are found."""
    directory = place()
    process = up()
    with (directory / "data" / PID_FILE).open("a") as file:
        file.write("garbage\n-1\n\u0663\n99999999999999999999\n")
    assert agentic("down") == (0, "stopped\n")
    assert process.wait(timeout=30) == 0


def test_a_full_disk_is_told_with_its_directory(tmp_path):
    """The pid is the first thing that is written there."""
    (tmp_path / PID_FILE).symlink_to("/dev/full")
    with pytest.raises(StackError, match="cannot be used for the stack's data"), owning(tmp_path):
        pytest.fail("it is owned")


@pytest.mark.parametrize("host", ["198.51.100.1", "\xe9" * 70, "a\0b"])
def test_an_address_that_is_none_is_told_with_its_option(host):
    """It took thirty seconds, or ended in a traceback."""
    with pytest.raises(StackError, match="--host names another address"):
        usable(host, 0)


def test_a_usable_port_is_returned_and_a_free_one_chosen():
    """Whoever serves there is told it before it is announced."""
    port = free_port()
    assert usable("127.0.0.1", port) == port
    assert usable("127.0.0.1", 0) > 0
