"""A run that waits outlasts everything that is restarted, its session's time, and its store's master."""

import asyncio
import contextlib
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from agentic import AgenticClient
from common.errors import AgenticError
from tests.orchestrator.fakes import until
from tests.system.aging import AGE, age, is_young
from tests.system.approvals.asking import append, approve, asked, asking, outcomes, reject, states
from tests.system.chaos import stores
from tests.system.chaos.deployment import deployed, key_of
from tests.system.chaos.load import USERS
from tests.system.chaos.proxy import Hold, Proxy, pass_on
from tests.system.chaos.torment import on_pair

USER = USERS[0]
TTL = timedelta(seconds=60)
STEPS = (append("log", "1\n"), append("other", "2\n"))


@contextlib.asynccontextmanager
async def people(deployment):
    """Yield a client of each replica, all of one user."""
    async with AsyncExitStack() as stack:
        clients = [AgenticClient(url, key_of(USER)) for url in deployment.urls]
        yield [await stack.enter_async_context(client) for client in clients]


def written(deployment):
    """Return the workspaces' files and what they hold."""
    found = (deployment.workspaces / USER).rglob("*")
    return {path.name: path.read_text() for path in found if path.is_file()}


async def restart(deployment, *stopped):
    """Kill all services and start them again; others that have to be up before are handed in."""
    for service in deployment.services:
        service.kill()
    for one in stopped:
        one.kill()
        await asyncio.to_thread(one.start)
    for service in deployment.services:
        service.start(wait=False)
    for service in deployment.services:
        await asyncio.to_thread(service.wait_until_it_serves)


async def test_a_waiting_run_outlasts_the_restart_of_everything_and_is_answered_elsewhere(tmp_path):
    """Killed, all of it, once while it waits, and once more with half of an answer given."""
    with stores.one_server(tmp_path) as store:
        async with (
            deployed(tmp_path, store.url, replicas=2, gate=pass_on) as deployment,
            people(deployment) as (one, two),
        ):
            run, shown = await asking(one, *STEPS, on_error="continue")
            await restart(deployment, store)
            assert await two.plan(run.session_id, run.id) == shown
            await reject(two, shown, steps=[2], reason="no")
            await restart(deployment, store)
            left = await one.plan(run.session_id, run.id)
            assert (left.is_waiting, states(left)) == (True, ["asks", "rejected"])
            assert written(deployment) == {}
            await approve(two, left)
            ended = await one.wait(run.session_id, run.id)
            assert (ended.status, outcomes(ended)) == ("succeeded", ["succeeded", "rejected"])
            assert written(deployment) == {"log": "1\n"}


async def test_the_session_of_a_waiting_run_does_not_expire(tmp_path):
    """Twice as long as its time to live; then it is answered, and done."""
    with stores.one_server(tmp_path) as store:
        async with (
            Redis.from_url(store.url, decode_responses=True) as redis,
            deployed(tmp_path, store.url, replicas=1, gate=pass_on) as deployment,
            people(deployment) as [client],
        ):
            session = await client.create_session(ttl=TTL)
            run, shown = await asking(client, *STEPS, session=session)

            async def is_young_again():
                return await is_young(redis, session.id, TTL)

            for _ in range(2 * TTL.seconds // AGE):
                await age(redis, session.id)
                await until(is_young_again)
            await approve(client, shown)
            assert (await client.wait(session.id, run.id)).status == "succeeded"


async def test_an_answer_that_nobody_heard_of_is_given_once_though_its_replica_is_lost(tmp_path):
    """Killed with the answer on its way to the store: the same one is said again, to another replica."""
    hold = Hold(b"approval.received")
    with stores.one_server(tmp_path) as store:
        async with (
            Proxy(store.port, hold).serving() as way,
            deployed(
                tmp_path, f"redis://127.0.0.1:{way.port}", replicas=2, gate=pass_on
            ) as deployment,
            people(deployment) as (one, two),
        ):
            run, shown = await asking(one, *STEPS)
            answering = asyncio.create_task(approve(one, shown))
            await hold.reached.wait()
            deployment.orchestrators[0].kill()
            await approve(two, shown)
            ended = await two.wait(run.session_id, run.id)
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError, AgenticError):
                await answering
            assert outcomes(ended) == ["succeeded", "succeeded"]
            assert written(deployment) == {"log": "1\n", "other": "2\n"}


@pytest.mark.parametrize("loss", ["master demoted", "master lost"])
async def test_no_answer_is_forgotten_when_the_store_fails_over(tmp_path, loss):
    """With a replica that has to know of it: what was rejected never happens, the rest once."""
    with stores.master_and_replica(tmp_path) as pair:
        async with (
            Proxy(pair[0].port).serving() as way,
            deployed(
                tmp_path,
                f"redis://127.0.0.1:{way.port}",
                replicas=2,
                gate=pass_on,
                ORCHESTRATOR_REPLICA_ACKS="1",
            ) as deployment,
            people(deployment) as (one, two),
        ):
            run, shown = await asking(one, *STEPS, on_error="continue")
            await reject(one, shown, steps=[1], reason="no")
            await on_pair(pair, way, 1)[loss]()
            left = await asked(two, run, after=shown.plan_revision)
            assert states(left) == ["rejected", "asks"]
            await approve(two, left)
            ended = await one.wait(run.session_id, run.id)
            assert outcomes(ended) == ["rejected", "succeeded"]
            assert written(deployment) == {"other": "2\n"}
