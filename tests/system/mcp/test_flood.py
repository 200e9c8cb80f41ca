"""Many requests at once, and many that nobody waits for: others are served, and nothing is left of them."""

import asyncio
import hashlib
import secrets
import socket
import statistics
import time
from pathlib import Path

import httpx
import pytest

from tests.system.mcp.clients import ANN, BOB, called
from tests.system.services import execution_environment, orchestrator, wait_until

pytestmark = pytest.mark.alone
KEYS = ",".join(
    f"{hashlib.sha256(key.encode()).hexdigest()}:{user}"
    for key, user in ((ANN, "ann"), (BOB, "bob"))
)
RATE = 50
FLOOD = 1000
SLOWED = 0.5
"""Seconds that a flood may add to the median of another user's calls."""
CUT_AND_SERVED = 2000
GROWTH = 16 * 1024 * 1024
"""Bytes that the heap may take for good, whatever comes: a leak of 20 KB a request takes three times that."""


@pytest.fixture
def limited(tmp_path):
    """Services that two users share, each with a limit."""
    execution = execution_environment(tmp_path).start()
    settings = {"ORCHESTRATOR_API_KEYS": KEYS, "ORCHESTRATOR_REQUEST_RATE": str(RATE)}
    main = orchestrator(tmp_path, execution, **settings).start()
    yield main
    assert (main.stop(), execution.stop()) == (0, 0)


def client_of(service, key, **more):
    """Return an HTTP client of a user's."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        base_url=service.url, headers=headers, trust_env=False, timeout=60, **more
    )


async def median_of(http, count=20):
    """Return the median of a user's calls, in seconds; each of them has to be made."""
    body, headers = called("list_directory", {})
    took = []
    for _ in range(count):
        started = time.monotonic()
        answer = await http.post("/mcp/demo", json=body, headers=headers)
        took.append(time.monotonic() - started)
        assert answer.status_code == 200
        assert not answer.json()["result"].get("isError")
    return statistics.median(took)


async def test_flood_is_refused_beyond_its_users_rate_and_slows_nobody_else(limited):
    """A thousand calls at once by one user, while another works on."""
    body, headers = called("list_directory", {})
    pool = httpx.Limits(max_connections=200)
    async with client_of(limited, ANN, limits=pool) as ann, client_of(limited, BOB) as bob:
        alone = await median_of(bob)
        flood = asyncio.gather(
            *(ann.post("/mcp/demo", json=body, headers=headers) for _ in range(FLOOD))
        )
        beside = await median_of(bob)
        answers = await flood
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert len(refused) > FLOOD / 2
        assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
        assert beside < alone + SLOWED
        await asyncio.sleep(int(refused[-1].headers["Retry-After"]))
        assert await median_of(ann, 1) < alone + SLOWED


def footprint(service):
    """Return a process's open files, and its memory in bytes."""
    process = Path(f"/proc/{service.process.pid}")
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return len(list((process / "fd").iterdir())), int(lines["RssAnon"].split()[0]) * 1024


def cut(service, request):
    """Send a request by a connection that is closed at once."""
    body, headers = request
    content = httpx.Request("POST", f"{service.url}/mcp/demo", json=body, headers=headers)
    lines = [f"{name}: {value}" for name, value in content.headers.items()]
    head = "\r\n".join(["POST /mcp/demo HTTP/1.1", *lines, "", ""])
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head.encode() + content.content)


async def torment(service, http, count):
    """Send so many requests in both eras, of which every other one is cut."""
    for n in range(count):
        body, newer = called("append_file", {"path": secrets.token_hex(1), "content": "x"})
        headers = newer if n % 4 < 2 else {"Accept": newer["Accept"]}
        if n % 2:
            await asyncio.to_thread(cut, service, (body, headers))
        else:
            answer = await http.post("/mcp/demo", json=body, headers=headers)
            assert answer.status_code == 200


async def test_requests_leave_nothing_behind_whether_or_not_they_are_cut(services):
    """Neither files nor memory, of which the library's tasks would take some."""
    main = services().main
    async with httpx.AsyncClient(base_url=main.url, trust_env=False, timeout=60) as http:
        await torment(main, http, CUT_AND_SERVED // 2)
        files, memory = footprint(main)
        await torment(main, http, CUT_AND_SERVED)
        await asyncio.to_thread(wait_until, lambda: footprint(main)[0] <= files + 5, 30)
        assert footprint(main)[1] - memory < GROWTH
