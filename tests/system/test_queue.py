"""The queue of real processes: whose turn it is, while thousands of runs wait."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from common.plans import Plan
from common.runs import Budget
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.server.embedded import embedded_server
from orchestrator.store.store import open_store
from tests.orchestrator.builders import document
from tests.orchestrator.fakes import until
from tests.system.services import execution_environment, orchestrator

LEASE = StoreConfig().lease.total_seconds()
MANY = 5000
USERS = 320
"""Enough for all of their runs to have wake-ups in the stream: the place of a user bounds those."""
STEPS = 1000


@pytest.fixture
async def stack(tmp_path):
    """A store of its own, and two processes to execute runs, which are not started yet."""
    async with (
        embedded_server(tmp_path / "redis") as server,
        open_store(server.url, "agentic", StoreConfig()) as store,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        execution = execution_environment(tmp_path).start()
        env = {
            "ORCHESTRATOR_REDIS_URL": server.url,
            "ORCHESTRATOR_ROLE": "worker",
            "ORCHESTRATOR_CONCURRENCY": "8",  # all busy, and the processors left some air
        }
        workers = [orchestrator(tmp_path / name, execution, **env) for name in ("one", "two")]
        yield SimpleNamespace(store=store, redis=redis, workers=workers)
        for service in (*workers, execution):
            if service.process is not None:
                service.kill()


async def start(store, user, **asked):
    """Start a run in a session of its own."""
    session = await store.sessions.create(user, None, {}, None)
    run = document(session.id, **asked)
    await store.runs.create(run, "reject", user_id=user)
    return RunRef(user, session.id, run.id)


async def start_many(store, users):
    """Start thousands of runs of these users, in turn."""
    numbers = iter(range(MANY))

    async def some():
        for number in numbers:
            await start(store, users[number % len(users)])

    await asyncio.gather(*(some() for _ in range(8)))


def long_plan():
    """Return what to ask for a run that takes longer than the test."""
    steps = [{"name": f"s{n}", "tool": "list_directory", "arguments": {}} for n in range(STEPS)]
    plan = Plan.model_validate({"steps": steps})
    return {"goal": None, "plan": plan, "planner": "plan", "budget": Budget(steps=STEPS)}


async def run_of(stack, ref):
    """Read a run."""
    return await stack.store.runs.get(ref.session_id, ref.run_id)


async def moment_of(stack, ref, event):
    """Wait for an event of a run's session; return its time, in seconds since the epoch."""
    found = []

    async def has_come():
        try:
            events = (await stack.store.events.after(ref.session_id, 0, 10_000)).events
        except StoreUnavailable:  # on a machine that is busy an answer takes too long: ask again
            return False
        found[:] = [each.time.timestamp() for each in events if each.type == event]
        return bool(found)

    await until(has_come, seconds=LEASE + 10)
    return found[0]


@pytest.mark.timeout(300)  # the thousands have to be asked for first
async def test_run_of_a_killed_worker_goes_on_within_a_lease_though_thousands_wait(stack):
    """It was woken after 47 s: it stood behind all that had been due for longer."""
    first, second = stack.workers
    ref = await start(stack.store, "ann", **long_plan())
    await start_many(stack.store, [f"user{number}" for number in range(USERS)])
    first.start()
    await moment_of(stack, ref, "step.succeeded")
    second.start()
    assert (await run_of(stack, ref)).status == "running"
    killed = time.time()
    first.kill()
    resumed = await moment_of(stack, ref, "run.resumed")
    assert await stack.redis.xlen("agentic:queue") > 0  # thousands wait still
    assert killed < resumed < killed + LEASE + 2


@pytest.mark.timeout(300)  # as above
async def test_run_of_one_user_starts_at_once_though_another_has_thousands(stack):
    """Each user's runs wait for that user's own places."""
    await start_many(stack.store, ["heavy"])
    for worker in stack.workers:
        worker.start()
    ref = await start(stack.store, "ann")
    asked = ref.made_ms / 1000
    assert await moment_of(stack, ref, "run.started") < asked + 2
    assert await stack.redis.zcard("agentic:user:{heavy}:ready") > MANY / 2


async def test_run_is_cancelled_in_time_though_no_notification_arrives(stack):
    """The flag is what counts: the owner reads it at each renewal."""
    worker, _ = stack.workers
    worker.start()
    ref = await start(stack.store, "ann", **long_plan())
    await moment_of(stack, ref, "step.succeeded")

    async def cut_off():
        while True:
            await stack.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await asyncio.sleep(0.001)

    cutting = asyncio.create_task(cut_off())
    asked = time.time()
    await stack.store.runs.cancel(ref.session_id, ref.run_id)
    cancelled = await moment_of(stack, ref, "run.cancelled")
    cutting.cancel()
    assert cancelled < asked + 1.5
