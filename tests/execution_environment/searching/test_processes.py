"""A search process: what it knows, and when it ends."""

import os
import subprocess
import sys
from pathlib import Path

from tests.execution_environment.searching.conftest import found
from tests.system.services import wait_until

ROOT = Path(__file__).parents[3]
ORPHANING = """
import time
from execution_environment.searching.processes import SearchProcess
process = SearchProcess()
print(process._process.pid, flush=True)
time.sleep(60)
"""


def test_a_search_process_knows_no_secrets(searchers, started, monkeypatch):
    """It reads what anybody put into a file: the service's token is not in its environment."""
    monkeypatch.setenv("EXEC_ENV_SERVICE_TOKEN", "secret")
    found(searchers)
    directory = Path(f"/proc/{started[0].pid}")
    assert (directory / "environ").read_bytes() == b""
    assert {os.readlink(link) for link in (directory / "fd").iterdir()} <= {
        "/dev/null", os.readlink(directory / "fd/2"), *_sockets(directory)
    }  # fmt: skip
    assert len(_sockets(directory)) == 1


def _sockets(directory):
    links = [os.readlink(link) for link in (directory / "fd").iterdir()]
    return [link for link in links if link.startswith("socket:")]


def test_a_search_process_ends_with_its_starter():
    """Nobody is left to kill it: it reads the end of its socket."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANING], stdout=subprocess.PIPE, cwd=ROOT
    ) as starter:
        pid = int(starter.stdout.readline())
        starter.kill()
    wait_until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
