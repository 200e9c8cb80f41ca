"""The images, built with the oldest pip that runs on their base image's Python."""

import json
import os
import subprocess

import pytest

from tests.requirements.locked import FACTS, ROOT, differences

BASE = os.environ.get("BASE_IMAGE", "python:3.13-slim-bookworm")
OLDEST_PIP = "23.1.2"
# an old pip trusts only the authorities that it carries, unless it is told to trust the image's
OLD_PIP_IMAGE = f"""
FROM {BASE}
RUN pip install -q pip=={OLDEST_PIP}
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


def docker(*arguments, **options):
    """Run docker; fail with what it printed when it fails."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def base():
    """The base image, its pip replaced by an old one."""
    tag = "agentic-test-old-pip"
    docker("build", "-t", tag, "-", input=OLD_PIP_IMAGE)
    yield tag
    docker("rmi", tag)


@pytest.mark.parametrize(
    ("dockerfile", "part"),
    [("Dockerfile.exec_env", "exec-env"), ("Dockerfile.orchestrator", "orchestrator")],
)
def test_an_image_is_built_by_an_old_pip_and_holds_what_is_locked(base, dockerfile, part):
    """Whoever has an older base image gets the same; and no installer is left inside."""
    tag = f"agentic-test-{part}"
    docker("build", "-t", tag, "-f", dockerfile, "--build-arg", f"BASE={base}", ".")
    try:
        facts = json.loads(docker("run", "--rm", tag, "python", "-c", FACTS))
    finally:
        docker("rmi", tag)
    assert differences(part, *facts, apart_from={"poetry-core"}) == {"agentic-framework"}
    assert not {"pip", "poetry-core"} & set(facts[1])
