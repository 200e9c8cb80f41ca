"""A thousand runs wait for people: nobody is busy with them, and each goes on when it is answered."""

import asyncio
import sys
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from agentic import AgenticClient
from orchestrator.store.server.connection import POOL_SIZE
from orchestrator.store.server.embedded import embedded_server
from tests.orchestrator.fakes import until
from tests.system.approvals.asking import append, plan_of
from tests.system.approvals.footprint import footprint
from tests.system.services import execution_environment, orchestrator

MANY = 1000
WARM = 100
"""Runs before the first look at what the process holds: its caches are filled by then."""
AT_ONCE = 8
BURST = 2 * POOL_SIZE
"""Reads at once, which fill the pool of connections to the store before that look."""
WORKSPACES = 20
MORE_MEMORY = 16.0
"""MiB, for a thousand: what the allocator rounds up, and no more than that for each."""
MORE_SOCKETS = 16
"""As many as there are runs of one user at work at a time may have gone out together."""


@pytest.fixture
async def stack(tmp_path):
    """A store of its own, and one orchestrator that both answers and works."""
    async with (
        embedded_server(tmp_path / "redis") as server,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        execution = execution_environment(tmp_path, EXEC_ENV_LOG_LEVEL="warning")
        env = {"ORCHESTRATOR_REDIS_URL": server.url, "ORCHESTRATOR_LOG_LEVEL": "warning"}
        main = orchestrator(tmp_path, execution, **env)
        execution.start()
        main.start()
        yield SimpleNamespace(main=main, redis=redis, files=tmp_path / "data/workspaces/local")
        assert (main.stop(), execution.stop()) == (0, 0)


async def each(work, items, url):
    """Do something for each item, a few at a time, over connections that are closed afterwards."""
    left, done = iter(items), []

    async def some(client):
        for item in left:
            done.append(await work(client, item))

    async with AgenticClient(url) as client:
        await asyncio.gather(*(some(client) for _ in range(AT_ONCE)))
    return done


async def all_wait(stack, n):
    """Wait until so many runs wait for people, and nobody owns a run or has a place for one."""
    owning = ("agentic:running", "agentic:user:{local}:running")

    async def has_come():
        busy = [await stack.redis.zcard(index) for index in owning]
        return await stack.redis.zcard("agentic:parked") == n and not any(busy)

    await until(has_come, 120)


async def fill_pool(stack):
    """Read so much at once that every connection to the store that there may be is there."""

    async def is_full():
        async with AgenticClient(stack.main.url) as client:
            await asyncio.gather(*(client.rules() for _ in range(BURST)))
        return (await stack.redis.info("clients"))["connected_clients"] > POOL_SIZE

    await until(is_full, 30)


async def ask(client, n):
    """Start a run that asks for one line."""
    session = await client.create_session(f"w{n % WORKSPACES}")
    plan = plan_of(append(f"log{n}", f"{n}\n"))
    return await client.start_run(session.id, plan=plan, approval="writes")


async def approve(client, run):
    """Approve it."""
    await client.approve(run.session_id, run.id, plan_revision=1)


def lines(stack):
    """Count the lines that runs have appended, wherever."""
    found = Counter()
    for path in stack.files.glob("w*/log*"):
        found.update(map(int, path.read_text().split()))
    return found


@pytest.mark.alone
@pytest.mark.timeout(400)
async def test_a_thousand_waiting_runs_cost_nothing_and_each_goes_on_when_answered(stack, capsys):
    """They hold no worker, no lease, no connection; what the process holds is printed."""
    url, started = stack.main.url, time.monotonic()
    await each(ask, range(MANY, MANY + WARM), url)
    await fill_pool(stack)
    await all_wait(stack, WARM)
    before = footprint(stack.main)
    runs = await each(ask, range(MANY), url)
    await all_wait(stack, WARM + MANY)
    after, asked = footprint(stack.main), time.monotonic()
    assert not lines(stack)
    await each(approve, runs, url)
    await all_wait(stack, WARM)
    assert lines(stack) == Counter(range(MANY))
    ended = time.monotonic()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{WARM} runs wait: {before}\n{WARM + MANY} runs wait: {after}\n"
            f"asked in {asked - started:.1f} s, answered and done in {ended - asked:.1f} s\n"
        )
    assert after.memory < before.memory + MORE_MEMORY
    assert after.sockets <= before.sockets + MORE_SOCKETS
