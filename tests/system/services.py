"""The real services as processes, to be started, paused and killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

START_TIMEOUT = 90.0
TOKEN = "system-test-token"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition, seconds=START_TIMEOUT):
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come"
        time.sleep(0.02)


class Service:
    """One service on a port and a directory of its own, which survive a restart."""

    def __init__(self, module: str, env: dict[str, str], log: Path):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        prefix = "EXEC_ENV" if module == "execution_environment" else "ORCHESTRATOR"
        self.module = module
        self._env = {**os.environ, **env, f"{prefix}_PORT": str(self.port)}
        self.process: subprocess.Popen[bytes] | None = None
        self.tree: Path | None = None
        """Where the packages lie that it runs; None: here."""

    def start(self, *, wait: bool = True) -> "Service":
        """Start it, and wait until it serves."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=self.tree,
                env=self._env,
                stdout=output,
                stderr=output,
            )
        if wait:
            self.wait_until_it_serves()
        return self

    def wait_until_it_serves(self) -> None:
        """Wait until it does; one that ends before that, or that never does, is ended."""
        try:
            wait_until(self._answers)
        except BaseException:
            self.kill()
            raise

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        # httpx would read all certificates of the world for each look: most of a test's time
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        with closing(connection), suppress(OSError, HTTPException):
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
        return False

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it in order; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)


def execution_environment(directory: Path, **env: str) -> Service:
    """Return an execution environment that is not started yet."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = {
        "EXEC_ENV_DATA_DIR": str(directory / "data"),
        "EXEC_ENV_SERVICE_TOKEN": TOKEN,
        "EXEC_ENV_SHUTDOWN_GRACE": "1",
        **env,
    }
    return Service("execution_environment", settings, directory / "execution.log")


def orchestrator(directory: Path, execution: Service, **env: str) -> Service:
    """Return an orchestrator that is not started yet."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = {
        "ORCHESTRATOR_DATA_DIR": str(directory / "store"),
        "ORCHESTRATOR_EXECUTION_URL": execution.url,
        "ORCHESTRATOR_SERVICE_TOKEN": TOKEN,
        **env,
    }
    return Service("orchestrator", settings, directory / "orchestrator.log")


def child(service: Service, name: str) -> int:
    """Return the process id of a service's child that runs a program of this name."""
    assert service.process is not None
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if (lines["Name"], lines["PPid"]) == (name[:15], str(service.process.pid)):
            return int(lines["Pid"])
    raise AssertionError(f"{name} does not run")
