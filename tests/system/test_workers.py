"""Several processes on one data directory: one writer at a time, and nobody else slowed down."""

import asyncio
import fcntl
import math
import os
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.system.services import TOKEN, execution_environment, wait_until

APPENDS = 2000
UPDATES = 10
CLIENTS = 16
WAITERS = 41
READS = 200


@pytest.fixture
def workers(tmp_path):
    """Two processes behind one port."""
    service = execution_environment(tmp_path, EXEC_ENV_WORKERS="2").start()
    chains = tmp_path / "data/state/audit"
    wait_until(lambda: len(list(chains.iterdir())) == 2)  # the other one is up as well
    yield service
    assert service.stop() == 0


def call_of(workspace, call_id, tool, arguments):
    """Return the body of a call."""
    context = {
        "request_id": "req_workers", "user_id": "local", "timeout": 60,
        "request_source": {"kind": "internal"}, "allowed_paths_root": f"local/{workspace}",
    }  # fmt: skip
    return {"id": call_id, "fence": 0, "tool": tool, "arguments": arguments, "context": context}


def client_of(service):
    """Return a client whose every call has a connection of its own, to either process."""
    return httpx.AsyncClient(
        base_url=service.url,
        headers={"Authorization": f"Bearer {TOKEN}", "Connection": "close"},
        timeout=90,
        trust_env=False,
    )


async def post(client, *call):
    """Make a call."""
    return await client.post("/v1/tool-calls", json=call_of(*call))


async def test_append_file_over_two_processes_loses_no_line(workers, tmp_path):
    """2,000 lines from 16 clients on two processes: each once, none lost, in some order."""
    numbers = iter(range(APPENDS))

    async def append():
        async with client_of(workers) as client:
            for number in numbers:
                arguments = {"path": "log", "content": f"{number}\n"}
                answer = await post(client, "counter", f"c{number}", "append_file", arguments)
                assert answer.status_code == 200, answer.text

    await asyncio.gather(*(append() for _ in range(CLIENTS)))
    lines = (tmp_path / "data/workspaces/local/counter/log").read_text().splitlines()
    assert sorted(map(int, lines)) == list(range(APPENDS))
    assert serving_processes(tmp_path) == 2


@pytest.fixture
def process(tmp_path):
    """One process behind a port."""
    service = execution_environment(tmp_path).start()
    yield service
    service.kill()


async def test_threads_of_a_process_share_a_cpu_and_searches_have_all(process):
    """Python's lock goes from thread to thread; a search has a process of its own."""
    everywhere = os.sched_getaffinity(0)
    async with client_of(process) as client:
        await post(client, "searched", "w", "write_file", {"path": "f", "content": "x"})
        await post(client, "searched", "s", "search_files", {"pattern": "x"})
    threads = Path(f"/proc/{process.process.pid}/task")
    wait_until(lambda: len(cpus_of(threads)) == 1)
    searchers = [
        Path(f"/proc/{child}/task")
        for children in threads.glob("*/children")
        for child in children.read_text().split()
    ]
    assert searchers
    assert all(cpus_of(searcher) == everywhere for searcher in searchers)


def cpus_of(threads):
    """Return the CPUs that a process's threads may run on, but for those of the event loop's library."""
    ours = [one.name for one in threads.iterdir() if "uv" not in (one / "comm").read_text()]
    return set().union(*(os.sched_getaffinity(int(thread)) for thread in ours))


def serving_processes(tmp_path):
    """Count the processes that have put a change on record."""
    files = (tmp_path / "data/state/audit").iterdir()
    return sum('"tool":"append_file"' in path.read_text() for path in files)


def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path):
    """They went on serving on its port, and nobody was left who could end them in order."""
    service = execution_environment(tmp_path, EXEC_ENV_WORKERS="2").start()
    chains = tmp_path / "data/state/audit"
    wait_until(lambda: len(list(chains.iterdir())) == 2)
    service.kill()
    wait_until(lambda: not listens(service.port))


def listens(port):
    """Tell whether anybody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_an_expected_hash_never_lets_an_update_through_that_would_lose_one(workers, tmp_path):
    """Read, add one, write if unchanged, else again: 16 clients count to 160."""

    async def count(name):
        async with client_of(workers) as client:
            done = tries = 0
            while done < UPDATES:
                tries += 1
                read = (await post(client, "cas", "r", "read_file", {"path": "n"})).json()["output"]
                arguments = {
                    "path": "n", "content": str(int(read["content"]) + 1), "mode": "replace",
                    "expected_sha256": read["sha256"],
                }  # fmt: skip
                answer = await post(client, "cas", f"{name}-{tries}", "write_file", arguments)
                assert answer.status_code in (200, 409), answer.text
                done += answer.status_code == 200

    directory = tmp_path / "data/workspaces/local/cas"
    directory.mkdir(parents=True)
    (directory / "n").write_text("0")
    await asyncio.gather(*(count(f"c{number}") for number in range(CLIENTS)))
    assert (directory / "n").read_text() == str(UPDATES * CLIENTS)


async def test_waiting_for_one_workspace_slows_no_other(workers, tmp_path, capsys):
    """41 callers in line hold no thread: reads elsewhere go on. The p99 is printed."""
    directory = tmp_path / "data/workspaces/local/calm"
    directory.mkdir(parents=True)
    (directory / "file").write_text("1")
    append = ("append_file", {"path": "x", "content": "x\n"})
    async with client_of(workers) as client:
        quiet = await read_latencies(client)
        with (tmp_path / "data/state/locks/local.busy").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            calls = [post(client, "busy", f"b{number}", *append) for number in range(WAITERS)]
            waiting = asyncio.gather(*calls)
            busy = await read_latencies(client)
            assert not waiting.done()
        answers = await waiting
    assert {answer.status_code for answer in answers} == {200}
    assert (tmp_path / "data/workspaces/local/busy/x").read_text() == "x\n" * WAITERS
    with capsys.disabled():
        sys.stdout.write(
            f"\nread beside {WAITERS} waiting callers: p99 {busy * 1000:.1f} ms,"
            f" alone {quiet * 1000:.1f} ms\n"
        )


async def read_latencies(client):
    """Return the 99th percentile of a read, in seconds."""
    taken = []
    for _ in range(READS):
        started = time.perf_counter()
        answer = await post(client, "calm", "r", "read_file", {"path": "file"})
        assert answer.status_code == 200
        taken.append(time.perf_counter() - started)
    return sorted(taken)[math.ceil(READS * 0.99) - 1]
