"""A real stack whose starter is killed: nothing serves on without control, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.system.services import free_port, wait_until

AGENTIC = [sys.executable, "-c", "from agentic.cli import main; main()"]


def up(directory, port):
    """Start `agentic up` on a relative directory; return its process when it serves."""
    command = [*AGENTIC, "up", "--port", str(port), "--data-dir", "data"]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True)
    while "Ctrl-C" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    return process


def family(pid):
    """Return a process and all that came of it."""
    children = [
        int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _starter(stat) == pid
    ]
    return [pid, *(each for child in children for each in family(child))]


def _starter(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return None


def runs(pid):
    """Tell whether a process goes on; one that nobody waits for has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_stack_leaves_nothing_behind_and_starts_again(tmp_path):
    """Services and store went on without control, and a second stack lost the store of both."""
    port = free_port()
    with up(tmp_path, port) as process:
        session = httpx.post(f"http://127.0.0.1:{port}/v1/sessions", json={}).json()["id"]
        members = family(process.pid)
        names = {Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0] for pid in members}
        assert any("valkey" in name for name in names)
        process.kill()
    wait_until(lambda: not any(map(runs, members)))
    port = free_port()
    with up(tmp_path, port) as process:
        assert httpx.get(f"http://127.0.0.1:{port}/v1/sessions/{session}").is_success
        members = family(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert not any(map(runs, members))


def test_a_store_that_cannot_be_had_ends_the_service_with_one_clear_line(tmp_path):
    """What others own is refused as well; a traceback hid the reason."""
    private = tmp_path / f"agentic-{os.getuid()}"
    private.mkdir(mode=0o755)
    env = {
        **os.environ,
        "XDG_RUNTIME_DIR": str(tmp_path),
        "ORCHESTRATOR_DATA_DIR": str(tmp_path / "store"),
        "ORCHESTRATOR_EXECUTION_URL": "http://127.0.0.1:1",
        "ORCHESTRATOR_SERVICE_TOKEN": "t",
        "ORCHESTRATOR_PORT": "0",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "orchestrator"], env=env, capture_output=True, text=True, check=False
    )
    told = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert ended.returncode != 0
    assert f"{private} must be a directory of ours with mode 700" in told
    assert "Traceback" not in ended.stderr
