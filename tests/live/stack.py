"""The compose stack of this repository, under a project name and on a port of its own."""

import hashlib
import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
KEY, OTHER_KEY = "live-test-key", "live-test-other-key"
HEALTHY_WITHIN = 60.0
EXECUTION, ORCHESTRATOR, REDIS = "execution-environment", "orchestrator", "redis"


def wait_until(condition, seconds=30.0):
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ComposeStack:
    """Runs docker-compose and docker on one project."""

    def __init__(self):
        self.project = f"live{secrets.token_hex(4)}"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        digests = {hashlib.sha256(key.encode()).hexdigest(): user for key, user in USERS.items()}
        self.settings = {
            "SERVICE_TOKEN": secrets.token_urlsafe(16),
            "API_KEYS": ",".join(f"{digest}:{user}" for digest, user in digests.items()),
            "PUBLISH": f"127.0.0.1:{self.port}",
            "ORCHESTRATOR_MODEL": "",
            "ORCHESTRATOR_MODELS": "",
        }

    def compose(self, *arguments: str, **more: str) -> str:
        """Run docker-compose; fail with what it printed when it fails."""
        command = ["docker-compose", "--project-name", self.project, *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self.settings, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> None:
        """Build the images, start everything, and wait until all of it is healthy."""
        self.compose("build")
        self.compose("up", "-d")
        wait_until(self.is_ready, HEALTHY_WITHIN)

    def down(self) -> None:
        """Take everything away, volumes included."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")

    def is_ready(self, url: str | None = None) -> bool:
        """Tell whether an orchestrator answers and everything behind it does; None: the stack's own."""
        try:
            return httpx.get(f"{url or self.url}/health/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def container(self, service: str, index: int = 1) -> str:
        """Return a container's name."""
        return f"{self.project}_{service}_{index}"

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's container."""
        return subprocess.run(
            ["docker", "exec", self.container(service), *command],
            capture_output=True,
            text=True,
            check=False,
        )

    def docker(self, *arguments: str) -> str:
        """Run docker; fail with what it printed when it fails."""
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log_lines(self, service: str) -> list[dict[str, object]]:
        """Return what a service has logged."""
        name = self.container(service)
        done = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        lines = (done.stdout + done.stderr).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


USERS = {KEY: "ann", OTHER_KEY: "bob"}
