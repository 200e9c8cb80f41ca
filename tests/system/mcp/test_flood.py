"""Many requests at once, and many that nobody waits for: others are served, and nothing is left of them."""

import asyncio
import hashlib
import re
import secrets
import socket
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
RATE = 30
FLOOD = 1000
SLOWED = 2.0
"""Seconds that a flood may add to another user's longest call: refusing it takes one, serving it three."""
CUT_AND_SERVED = 2000
GROWTH = 16 * 1024 * 1024
"""Bytes that the heap may take for good, whatever comes: a leak of 20 KB a request takes more than twice that."""


@pytest.fixture
def limited(tmp_path):
    """Services that two users share, each with a limit."""
    execution = execution_environment(tmp_path).start()
    settings = {"ORCHESTRATOR_API_KEYS": KEYS, "ORCHESTRATOR_REQUEST_RATE": str(RATE)}
    main = orchestrator(tmp_path, execution, **settings).start()
    yield main
    assert (main.stop(), execution.stop()) == (0, 0)


def client_of(service, key):
    """Return an HTTP client of a user's."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=service.url, headers=headers, trust_env=False, timeout=60)


async def worst_of(http, count=10):
    """Return how long the longest of a user's calls takes, in seconds; each of them has to be made."""
    body, headers = called("list_directory", {})
    took = []
    for _ in range(count):
        started = time.monotonic()
        answer = await http.post("/mcp/demo", json=body, headers=headers)
        took.append(time.monotonic() - started)
        assert answer.status_code == 200
        assert not answer.json()["result"].get("isError")
    return max(took)


def on_the_wire(service, request, **more):
    """Return a request's bytes: a client library would take longer for a thousand than the service."""
    body, headers = request
    sent = httpx.Request("POST", f"{service.url}/mcp/demo", json=body, headers=headers | more)
    lines = [f"{name}: {value}" for name, value in sent.headers.items()]
    return "\r\n".join(["POST /mcp/demo HTTP/1.1", *lines, "", ""]).encode() + sent.content


async def answer_to(service, content):
    """Send a request by a connection of its own; return the answer's status and the rest of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(content)
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer


async def test_flood_is_refused_beyond_its_users_rate_and_slows_nobody_else(limited):
    """A thousand calls at once by one user, while another works on."""
    request = called("list_directory", {})
    content = on_the_wire(limited, request, Authorization=f"Bearer {ANN}", Connection="close")
    async with client_of(limited, BOB) as bob:
        await worst_of(bob, 1)  # loads what is loaded at the first request
        alone = await worst_of(bob)
        flood = asyncio.gather(*(answer_to(limited, content) for _ in range(FLOOD)))
        beside = await worst_of(bob)
        answers = await flood
    refused = [answer for status, answer in answers if status == 429]
    assert {status for status, _ in answers} == {200, 429}
    assert len(refused) > FLOOD / 2
    assert all('"code":"rate_limited"' in answer for answer in refused)
    assert beside < alone + SLOWED
    [wait] = re.findall(r"(?i)retry-after: (\d+)", refused[-1])
    await asyncio.sleep(int(wait))
    assert (await answer_to(limited, content))[0] == 200


def footprint(service):
    """Return a process's open files, and its memory in bytes."""
    process = Path(f"/proc/{service.process.pid}")
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return len(list((process / "fd").iterdir())), int(lines["RssAnon"].split()[0]) * 1024


def cut(service, request):
    """Send a request by a connection that is closed at once."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(on_the_wire(service, request))


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
