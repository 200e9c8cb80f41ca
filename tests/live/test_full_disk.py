"""A disk that is full, and one without inodes: clear errors, old content, and a way back."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.live.stack import EXECUTION, wait_until

UID = 10001
"""Of the image's user."""
FILLING = Path(__file__).with_name("filling.py").read_text()


@pytest.fixture
def on_small_disk(stack):
    """Start the execution environment's image on a file system of its own; run the filling there."""
    started = []

    def run(options):
        image = stack.docker("inspect", "-f", "{{.Image}}", stack.container(EXECUTION)).strip()
        name = f"{stack.project}_small_{len(started)}"
        started.append(name)
        stack.docker(
            "run", "-d", "--name", name, "--network", "none", "--tmpfs", f"/data:{options},uid={UID},mode=0700",
            "-e", "EXEC_ENV_SERVICE_TOKEN=t", image,
        )  # fmt: skip
        health = ("inspect", "-f", "{{.State.Health.Status}}", name)
        wait_until(lambda: stack.docker(*health) == "healthy\n", 60)
        done = subprocess.run(
            ["docker", "exec", "-i", name, "python", "-", "http://127.0.0.1:8001", "t"],
            input=FILLING, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield run
    for name in started:
        stack.docker("rm", "-f", name)


@pytest.mark.parametrize("options", ["size=16m", "size=64m,nr_inodes=100"])
def test_a_full_disk_is_told_and_left_again(on_small_disk, options):
    """507 whatever is written; the old content stays; a delete works, and then everything does."""
    seen = on_small_disk(options)
    assert seen["full"] == [[507, "no_space"]] * 5
    assert seen["outcomes"] == ["not_executed"]
    assert (seen["kept"], seen["deleted"][0]) == ("old", [200, None])
    assert (seen["after"], seen["content"]) == (200, "new")
