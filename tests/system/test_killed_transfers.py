"""A directory on its way out or back while the client, or a service, is killed: old or new, never both.

ROUNDS sets how often each of them dies, SEED when.
"""

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.system.services import wait_until

AGENTIC = [sys.executable, "-c", "from agentic.cli import main; main()"]
NAIVE = """
import pathlib, sys, httpx
url, session, tree = sys.argv[1:]
with httpx.Client(base_url=url, trust_env=False) as http:
    for path in sorted(pathlib.Path(tree).rglob("*.txt")):
        place = f"/v1/sessions/{session}/files/{path.relative_to(tree)}"
        http.put(place, content=path.read_bytes()).raise_for_status()
"""
ROUNDS = int(os.environ.get("ROUNDS", "2"))
SEED = int(os.environ.get("SEED", "4711"))
FILES = [f"{n % 7}/{n:03}.txt" for n in range(210)]


class Stage:
    """Both services, and directories of people who work on one workspace."""

    def __init__(self, services, tmp_path):
        self.services = services
        self.tmp_path = tmp_path
        self.random = random.Random(SEED)  # noqa: S311 - repeatable

    @property
    def workspace(self):
        """Where the workspace lies."""
        return self.services.demo

    def directory(self, name):
        """Make a directory, with a memory of its own."""
        (self.tmp_path / name).mkdir(exist_ok=True)
        return self.tmp_path / name

    def begin(self, directory, *arguments, command=AGENTIC):
        """Start a command in a directory."""
        state = self.tmp_path / f"{directory.name}-state"
        env = {
            **os.environ,
            "AGENTIC_URL": self.services.main.url,
            "AGENTIC_STATE_DIR": str(state),
        }
        return subprocess.Popen(
            [*command, *arguments],
            cwd=directory,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, directory, *arguments):
        """Run a command to its good end; return the seconds that it took."""
        started = time.monotonic()
        command = self.begin(directory, *arguments)
        told, _ = command.communicate(timeout=60)
        assert command.returncode == 0, told
        return time.monotonic() - started

    def kill_in(self, command, victim, seconds):
        """Kill a service, or the command itself, somewhere within its time; start the service again."""
        moment = time.monotonic() + self.random.random() * seconds
        wait_until(lambda: command.poll() is not None or time.monotonic() > moment)
        if victim == "client":
            command.kill()
        else:
            service = getattr(self.services, victim)
            service.kill()
            service.start()
        command.communicate(timeout=60)


def fill(directory, version):
    """Give every file a content of this version; one in ten is there in odd versions only."""
    for number, name in enumerate(FILES):
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        if number % 10 == 0 and version % 2 == 0:
            path.unlink(missing_ok=True)
        else:
            path.write_text(f"{version}\n" + f"{number}\n" * 500)


def versions(directory: Path):
    """Return the versions of which something is there; a change may be under way."""
    found = set()
    for path in directory.rglob("*.txt"):
        with suppress(FileNotFoundError):
            found.add(path.read_text().split("\n", 1)[0])
    return found


def content(directory: Path):
    """Return what is there, by path."""
    found = directory.rglob("*.txt")
    return {str(path.relative_to(directory)): path.read_text() for path in found}


@pytest.fixture
def stage(services, tmp_path):
    """Both services, which are killed and come back."""
    return Stage(services(), tmp_path)


@pytest.mark.parametrize("victim", ["client", "main", "execution"])
def test_a_workspace_is_old_or_new_when_somebody_dies_during_a_push(stage, victim):
    """And the next push makes it new, whatever became of the one before."""
    here = stage.directory("here")
    fill(here, 1)
    seconds = stage.run(here, "push", "--workspace", "demo")
    for version in range(2, 2 + ROUNDS):
        fill(here, version)
        stage.kill_in(stage.begin(here, "push"), victim, seconds)
        # the services live on when the client dies, and may be in the midst of the change
        wait_until(lambda: len(versions(stage.workspace)) == 1)
        stage.run(here, "push")
        assert content(stage.workspace) == content(here)
    verify = [sys.executable, "-m", "execution_environment", "verify-audit"]
    subprocess.run([*verify, str(stage.tmp_path / "data")], check=True)


@pytest.mark.parametrize("victim", ["client", "main", "execution"])
def test_a_directory_is_whole_when_somebody_dies_during_a_pull(stage, victim):
    """Each file is old or new at any time, and the next pull makes all of them new."""
    here, there = stage.directory("here"), stage.directory("there")
    fill(there, 1)
    stage.run(there, "push", "--workspace", "demo")
    seconds = stage.run(here, "pull", "--workspace", "demo")
    for version in range(2, 2 + ROUNDS):
        before = content(here)
        fill(there, version)
        stage.run(there, "push")
        stage.kill_in(stage.begin(here, "pull"), victim, seconds)
        after = content(here)
        new = content(there)
        assert all(text in (before.get(path), new.get(path)) for path, text in after.items())
        stage.run(here, "pull")
        assert content(here) == new
        assert not list(here.rglob(".agentic-*"))


def test_a_client_that_sends_file_by_file_leaves_both_versions_when_it_dies(stage):
    """The control: what the others are judged by finds a mix where there can be one."""
    here = stage.directory("here")
    fill(here, 1)
    stage.run(here, "push", "--workspace", "demo")
    with httpx.Client(base_url=stage.services.main.url, trust_env=False) as http:
        session = http.post("/v1/sessions", json={"workspace": "demo"}).json()["id"]
    fill(here, 3)
    sending = stage.begin(here, stage.services.main.url, session, str(here),
                          command=[sys.executable, "-c", NAIVE])  # fmt: skip
    wait_until(lambda: "3" in versions(stage.workspace))
    sending.kill()
    sending.communicate()
    assert versions(stage.workspace) == {"1", "3"}
