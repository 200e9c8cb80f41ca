"""Processes that end with the one that started them, however that one ends."""

import os
import select
import signal
import subprocess
import sys

import pytest

from common.processes.tether import tethered

STARTER = """
import subprocess, sys
from common.processes.tether import tethered
wait = [sys.executable, "-c", "import sys; sys.stdout.write('here'); sys.stdout.flush(); input()"]
command = tethered(*wait) if sys.argv[1] == "tied" else wait
subprocess.run(command, stdin=int(sys.argv[2]), stdout=int(sys.argv[3]), pass_fds=map(int, sys.argv[2:]))
"""
PATIENCE = 20
"""Seconds."""


@pytest.fixture
def start():
    """Have a process start another, and kill it; return what tells the other's end."""
    ends = []

    def run(how):
        (hold, release), (told, tell) = os.pipe(), os.pipe()
        ends.extend((release, told))
        command = [sys.executable, "-c", STARTER, how, str(hold), str(tell)]
        with subprocess.Popen(command, pass_fds=(hold, tell)) as starter:
            os.close(hold)
            os.close(tell)
            assert os.read(told, 4) == b"here"
            starter.kill()
        return told, release

    yield run
    for end in ends:
        os.close(end)


def has_ended(told, seconds):
    """Tell whether nobody is left who could write."""
    return bool(select.select([told], [], [], seconds)[0]) and os.read(told, 1) == b""


def test_a_tethered_process_ends_when_its_starter_is_killed(start):
    """Services went on without control; the control shows that nothing else ends them."""
    told, _ = start("tied")
    assert has_ended(told, PATIENCE)
    told, release = start("free")
    assert not has_ended(told, 0.2)
    os.write(release, b"\n")
    assert has_ended(told, PATIENCE)


def test_nothing_tethered_is_started_for_a_starter_that_has_ended_already():
    """Killed between the start and the tie, nobody would ever end the command."""
    command = tethered("/bin/echo", "started")
    command[command.index(str(os.getpid()))] = "1" if os.getpid() != 1 else "2"
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "has ended, and what it started ends with it" in ended.stderr


def test_a_tethered_command_is_as_it_would_be_otherwise():
    """Its own exit code, output and end by a signal, and no signals ignored on its behalf."""
    shell = ["/bin/sh", "-c", "grep SigIgn /proc/self/status; exit 3"]
    both = [
        subprocess.run(command, capture_output=True, text=True, check=False)
        for command in (shell, tethered(*shell))
    ]
    assert both[0].returncode == both[1].returncode == 3
    assert both[0].stdout == both[1].stdout
    with subprocess.Popen(tethered("/bin/sleep", "60")) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == -signal.SIGTERM
