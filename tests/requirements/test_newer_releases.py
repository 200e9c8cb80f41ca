"""Set-up where every dependency has a newer release than the one that is locked, and off the network.

The index is a folder: the locked files, fetched once for each Python, and beside each a release that
is newer. PYTHONS names the Pythons; this one alone unless set.
"""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from packaging.utils import parse_wheel_filename

from tests.requirements.locked import FACTS, ROOT, VERSIONS, differences
from tests.requirements.test_install import clean_environment
from tests.requirements.wheels import make_wheel, publish

NEWER = "9999.0"
PYTHONS = os.environ.get("PYTHONS", "").split() or [sys.executable]
NEWEST_PIP = ROOT / ".cache" / "poetry" / "bin" / "pip"
"""The newest when it was locked beside Poetry; those that the Pythons bring are older."""
# a network of its own, with nothing on it but loopback
OFFLINE = (
    "unshare",
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    'ip link set lo up && exec "$@"',
    "sh",
)


def run(*command, **options):
    """Run a command; fail with what it printed when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# a Python's tests run in one process, so that its index is made once
@pytest.fixture(
    scope="session",
    params=[pytest.param(python, marks=pytest.mark.xdist_group(python)) for python in PYTHONS],
)
def python(request):
    """Return each Python in turn."""
    return request.param


@pytest.fixture(scope="session")
def index(python, tmp_path_factory):
    """Return an index with the locked files for a Python, and newer releases of all of them."""
    files, simple = (tmp_path_factory.mktemp(name) for name in ("files", "simple"))
    for part in ("dev", "lock"):
        locked = ["--require-hashes", "-r", ROOT / "requirements" / f"{part}.txt"]
        options = ["-q", "--no-deps", "--only-binary", ":all:", "-d", files]
        run(python, "-m", "pip", "download", *options, *locked)
    offered = {name: [make_wheel(files, name, NEWER)] for name in VERSIONS}
    for wheel in files.glob("*.whl"):
        name, version, *_ = parse_wheel_filename(wheel.name)
        if str(version) != NEWER:
            offered[name].append(wheel)
    for name, wheels in offered.items():
        publish(simple, name, wheels)
    return simple


class Clone:
    """A copy of what is tracked here, in which nothing is set up."""

    def __init__(self, directory, index, python):
        self._directory = directory
        self._environment = {**clean_environment(index.as_uri()), "PYTHON": python}
        tracked = run(
            "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT
        )
        for name in filter(None, tracked.split("\0")):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)

    def make(self, target, **environment):
        """Run make without a network, and return what it printed."""
        return self._offline("make", target, **environment)

    def install(self, *parts):
        """Install parts, and the project, as set-up does."""
        return self._offline("requirements/install", ".venv", *parts, "project")

    def call(self, *words):
        """Run a program of the environment's without a network; return its exit code and output."""
        program = (*OFFLINE, self._directory / ".venv" / "bin" / words[0], *words[1:])
        done = subprocess.run(
            program,
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def _offline(self, *command, **environment):
        together = {**self._environment, **environment}
        return run(*OFFLINE, *command, cwd=self._directory, env=together)

    def is_as_locked(self, part):
        """Tell whether what is installed is what a part says, and the project."""
        facts = json.loads(run(self._directory / ".venv" / "bin" / "python", "-c", FACTS))
        brought = {"pip", "setuptools"}  # by Python itself
        assert differences(part, *facts, apart_from=brought) == {"agentic-framework"}
        return True


@pytest.fixture
def clone(tmp_path, index, python):
    """Return a clone in which nothing is set up."""
    return Clone(tmp_path, index, python)


def test_a_fresh_clone_runs_and_holds_what_is_locked(clone):
    """With the pip that Python brings; running installs no tools, and a second time nothing."""
    first = clone.make("run").splitlines()
    assert [line.partition(":")[0] for line in first[:4]] == ["set-up"] * 4
    assert first[-1] == "everything is as it should be"
    assert clone.is_as_locked("run")
    assert clone.make("setup-run") == ""
    assert "dev.txt" in clone.make("setup")
    assert clone.is_as_locked("dev")


def test_the_client_alone_is_installed_and_runs_without_the_services(clone):
    """What `pip install agentic-framework` brings: the command, and no server of ours or others'."""
    clone.install("client")  # it ends with `pip check`: what the project itself needs is there
    assert clone.is_as_locked("client")
    assert clone.call("python", "-c", "import fastapi")[0] == 1
    assert clone.call("python", "-c", "import agentic; agentic.AgenticClient")[0] == 0
    assert clone.call("agentic", "--help")[0] == 0
    code, told = clone.call("agentic", "tools", "--url", "http://127.0.0.1:9")
    assert (code, "[unavailable]" in told) == (5, True)
    for words in (["up"], ["demo"], ["run", "list", "--local"]):
        code, told = clone.call("agentic", *words)
        assert (code, "pip install 'agentic-framework[services]'" in told) == (2, True)


def test_a_newer_pip_than_the_one_at_hand_installs_the_same(clone):
    """What pip looks up, and what it makes of hashes and extras, has changed more than once."""
    clone.make("setup", SETUP_PIP=f"{NEWEST_PIP} --python .venv/bin/python")
    assert clone.is_as_locked("dev")


def test_the_index_offers_newer_releases(index, python):
    """The control: asked for a name alone, pip takes the newer release, of everything."""
    command = ["install", "-q", "--dry-run", "--ignore-installed", "--no-deps", "--report", "-"]
    environment = clean_environment(index.as_uri())
    report = json.loads(run(python, "-m", "pip", *command, *VERSIONS, env=environment))
    chosen = {item["metadata"]["name"]: item["metadata"]["version"] for item in report["install"]}
    assert chosen == dict.fromkeys(VERSIONS, NEWER)


def test_nothing_is_reached_without_a_network():
    """The control: what listens on this machine is not to be had where set-up ran."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = (sys.executable, "-c", "import socket, sys; socket.create_connection(sys.argv[1:])")
        address = ("127.0.0.1", str(server.getsockname()[1]))
        run(*reach, *address)
        with pytest.raises(AssertionError, match="refused"):
            run(*OFFLINE, *reach, *address)
