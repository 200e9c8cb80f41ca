"""What is true of the containers themselves: reach, rights, size, health, logs."""

import json

import httpx
import pytest

from tests.live.stack import EXECUTION, KEY, ORCHESTRATOR, REDIS, wait_until

CONNECT = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
HEALTH = "{{.State.Health.Status}}"
PORTS = {EXECUTION: 8001, ORCHESTRATOR: 8000, REDIS: 6379}


def test_everything_is_healthy_and_names_its_guard(stack):
    """As `docker-compose ps` shows it."""
    for service in PORTS:
        name = stack.container(service)
        wait_until(lambda name=name: stack.docker("inspect", "-f", HEALTH, name) == "healthy\n")
    ready = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8001/health/ready').read().decode())"
    facts = json.loads(stack.inside(EXECUTION, "python", "-c", ready).stdout)["facts"]
    assert "openat2" in facts["guards"]


def test_the_execution_environment_reaches_nothing(stack):
    """Not the host, not the world, not even Redis."""
    gateway = stack.docker(
        "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", f"{stack.project}_front"
    ).strip()
    for host, port in ((gateway, stack.port), ("1.1.1.1", 443), ("redis", 6379)):
        assert stack.inside(EXECUTION, "python", "-c", CONNECT, host, str(port)).returncode != 0
    assert stack.inside(ORCHESTRATOR, "python", "-c", CONNECT, "redis", "6379").returncode == 0


def test_only_the_orchestrator_is_published(stack):
    """On loopback; the other services have no port on the host."""
    for service in (EXECUTION, REDIS):
        ports = stack.docker(
            "inspect", "-f", "{{json .HostConfig.PortBindings}}", stack.container(service)
        )
        assert json.loads(ports) in ({}, None)
    [binding] = json.loads(
        stack.docker(
            "inspect", "-f", "{{json .HostConfig.PortBindings}}", stack.container(ORCHESTRATOR)
        )
    )["8000/tcp"]
    assert binding == {"HostIp": "127.0.0.1", "HostPort": str(stack.port)}


@pytest.mark.parametrize("place", ["/app/x", "/etc/x", "/usr/local/x", "/x"])
def test_a_process_inside_cannot_write_outside_its_volume(stack, place):
    """Read-only root, no capabilities, a user of its own."""
    for service in (EXECUTION, ORCHESTRATOR):
        assert stack.inside(service, "python", "-c", f"open({place!r}, 'w')").returncode != 0
    who = "import os; print(os.getuid()); print(open('/proc/self/status').read())"
    told = stack.inside(EXECUTION, "python", "-c", who).stdout
    assert told.startswith("10001\n")
    assert "CapEff:\t0000000000000000" in told
    assert "NoNewPrivs:\t1" in told


@pytest.mark.parametrize(
    ("service", "there", "absent"),
    [(EXECUTION, "execution_environment", ("orchestrator", "agentic", "tests", "redis", "httpx")),
     (ORCHESTRATOR, "orchestrator", ("execution_environment", "agentic", "tests", "pytest"))],
)  # fmt: skip
def test_an_image_holds_its_own_service_only(stack, service, there, absent):
    """Nothing of the tests, nothing of the other service, no package manager's cache."""
    look = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    found = stack.inside(service, "python", "-c", look, there, *absent).stdout
    assert found == f"['{there}']\n"


def test_the_sizes_of_the_images_are_printed(stack, capsys):
    """CI keeps them in its log."""
    with capsys.disabled():
        for image in ("agentic-exec-env", "agentic-orchestrator"):
            int(stack.docker("image", "inspect", "-f", "{{.Size}}", image))


def test_the_containers_logs_carry_the_id_of_a_request(stack):
    """By its id."""
    headers = {"Authorization": f"Bearer {KEY}", "X-Request-ID": "live-follow-me"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30) as http:
        session = http.post("/v1/sessions", json={}).json()["id"]
        run = http.post(
            f"/v1/sessions/{session}/runs", json={"goal": "list"}, headers={"Prefer": "wait=20"}
        )
    assert (run.status_code, run.json()["status"]) == (200, "succeeded")
    for service in (ORCHESTRATOR, EXECUTION):
        ids = {line.get("request_id") for line in stack.log_lines(service)}
        assert "live-follow-me" in ids
