"""Connections and addresses that mean harm, against the real service: its memory, its files."""

import asyncio
import http.client
import os
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.system.hostile_connections import ATTACKS
from tests.system.services import TOKEN, execution_environment, wait_until

ATTACKERS = 3
SECONDS = 2.0
"""For each attack."""
GROWTH = 64
"""MiB: what the service may grow by under all of them; before the bounds it took 1.7 GB in 25 s."""
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """An execution environment with a workspace `local/demo`."""
    directory = tmp_path_factory.mktemp("hostile")
    service = execution_environment(directory).start()
    service.demo = directory / "data/workspaces/local/demo"
    service.demo.mkdir(parents=True)
    yield service
    assert service.stop() == 0


def memory(service) -> float:
    """Return the most memory that the service has used, in MiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def descriptors(service) -> list[str]:
    """Return what the service has open."""
    folder = f"/proc/{service.process.pid}/fd"
    return [_target(f"{folder}/{number}") for number in os.listdir(folder)]


def _target(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


@contextmanager
def attacked(service, attack):
    """Have some attackers at work meanwhile."""
    stop = threading.Event()
    arguments = ("127.0.0.1", service.port, stop)
    threads = [threading.Thread(target=attack, args=arguments) for _ in range(ATTACKERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_connections_without_a_token_take_no_memory_and_stop_nobody(service):
    """Whoever reaches the port could have the service killed for its memory."""
    before = memory(service)
    for attack in ATTACKS:
        with attacked(service, attack):
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                answer = httpx.get(f"{service.url}/health/live", trust_env=False, timeout=30)
                assert answer.status_code == 200
        grown = memory(service) - before
        assert grown < GROWTH, f"{attack.__name__}: {grown:.0f} MiB"


async def test_a_download_that_nobody_reads_ends_at_its_deadline(service):
    """Its descriptor was held for as long as the client kept the connection."""
    (service.demo / "file").write_bytes(b"x" * 32 * 1024 * 1024)
    context = (
        '{"request_id":"r","user_id":"local","timeout":1,"request_source":{"kind":"rest"},'
        '"allowed_paths_root":"local/demo"}'
    )
    request = (
        "GET /v1/files/local/demo/file HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {TOKEN}\r\nX-Execution-Context: {context}\r\n\r\n"
    )

    def is_open():
        return any(name.endswith("local/demo/file") for name in descriptors(service))

    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(request.encode())
        await asyncio.to_thread(wait_until, is_open)
        await asyncio.to_thread(wait_until, lambda: not is_open(), 10)
        async with httpx.AsyncClient(base_url=service.url, headers=AUTH) as http:
            audit = (await http.get("/v1/audit")).json()["items"]
    assert [record["tool"] for record in audit] == ["download_file"]


def test_names_that_are_no_text_are_not_one_file(service):
    """`%fe` and `%ff` were; both can be written as what they are."""
    for name, status in (("%ff", 400), ("%fe", 400), ("%5Cxff", 201), ("%5Cxfe", 201)):
        assert _raw(service, "PUT", f"/v1/files/local/demo/names/{name}") == status
    assert sorted(os.listdir(os.fsencode(service.demo / "names"))) == [b"\xfe", b"\xff"]


def test_head_is_answered_without_a_body_and_the_connection_goes_on(service):
    """Over a real connection a body that should not be there is taken for the next answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for method in ("HEAD", "GET"):
        connection.request(method, "/health/live")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["content-length"]) == (200, "26")
        assert len(answer.read()) == (0 if method == "HEAD" else 26)
    connection.close()


def _raw(service, method, path):
    """Return the status of a request whose path is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request(method, path, body=b"x", headers=AUTH)
    status = connection.getresponse().status
    connection.close()
    return status
