"""The client where the services, or a POSIX system's modules, are not there."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"{{name}} is not here")

sys.meta_path.insert(0, Blocker())
"""


def modules_of_services():
    """The top-level modules that only the extra of services brings, themselves."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {line.partition(" ")[0] for line in extras["optional-dependencies"]["services"]}
    found = metadata.packages_distributions().items()
    return {module for module, packages in found if wanted & set(packages)} - {"__pycache__"}


def run_without(blocked, program):
    """Run a program that cannot import these modules; return how it ended."""
    code = BLOCK.format(blocked=sorted(blocked)) + program
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


COMMAND = "sys.argv = ['agentic', {}]\nfrom agentic.cli import main\nmain()\n"


@pytest.mark.parametrize("blocked", ["fcntl", "services"])
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [("'--help'", 0, "Usage"), ("'tools', '--url', 'http://127.0.0.1:9'", 5, "unavailable")],
    ids=["help", "tools"],
)
def test_the_command_runs_without_the_services_and_where_there_is_no_fcntl(
    blocked, words, code, told
):
    """Windows has no fcntl, and who only talks to a server has no services."""
    modules = {"fcntl"} if blocked == "fcntl" else modules_of_services()
    done = run_without(modules, COMMAND.format(words))
    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done.stderr


def test_the_client_is_imported_without_the_services_and_without_fcntl():
    """What another program does."""
    blocked = {"fcntl", *modules_of_services()}
    done = run_without(blocked, "import agentic\nprint(agentic.AgenticClient.__name__)\n")
    assert (done.stdout, done.stderr) == ("AgenticClient\n", "")


@pytest.mark.parametrize("module", ["fcntl", "fastapi", "redis"])
def test_what_is_blocked_in_these_tests_cannot_be_imported(module):
    """The control."""
    done = run_without({"fcntl", *modules_of_services()}, f"import {module}\n")
    assert "is not here" in done.stderr
