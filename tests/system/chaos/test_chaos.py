"""Everything fails at random, and every run succeeds, each effect once and in order.

`make chaos RUNS=200` makes more runs, SEED=n repeats what was drawn.
"""

import os
import sys

import pytest

from tests.system.chaos import answering, stores
from tests.system.chaos.asked import SEED
from tests.system.chaos.deployment import deployed
from tests.system.chaos.harness import Chaos
from tests.system.chaos.proxy import Proxy
from tests.system.chaos.torment import on_pair, on_stores
from tests.system.servers import cluster_url

RUNS = int(os.environ.get("RUNS", "12"))


@pytest.fixture
def show(capsys):
    """Print what a reader wants to see of a test that went well, too."""

    def write(text):
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return write


@pytest.fixture
def provider():
    """The provider of the models, which fails now and then."""
    with answering.provider() as provider:
        yield provider


@pytest.fixture
def let_loose(provider):
    """Let everything befall a deployment; return what came of it."""

    async def play(directory, redis_url, blows, *, repeats=True, **env):
        told = answering.settings(provider.openai_url)
        async with deployed(directory, redis_url, **told, **env) as deployment:
            chaos = Chaos(deployment, provider, RUNS, SEED, repeats=repeats)
            await chaos.open()
            await chaos.run(blows)
            return chaos

    return play


def require_exactness(chaos):
    """Fail unless every run has succeeded, each effect once and in order, and was told of so.

    No answer of a model was asked for again that was not lost.
    """
    wrong = [*chaos.doubles(), *chaos.holes(), *chaos.overcharged()]
    wrong += [text for session in chaos.sessions for text in session.strangers]
    wrong += [text for session in chaos.sessions for text in session.person.wrong]
    assert (chaos.endings(), wrong) == ({"succeeded": RUNS}, []), chaos.picture()
    assert not chaos.effects(), chaos.effects()


def require_truth(chaos):
    """Fail where an effect is there twice or missing, or followers were not told of lost events."""
    misled = [
        (*follower.doubles(), *follower.holes())
        for follower in (session.follower for session in chaos.sessions)
        if not follower.was_told_of_a_gap()
    ]
    assert not chaos.effects(), chaos.effects()
    assert not any(misled), misled


async def test_every_run_outlasts_whatever_befalls_processes_and_store(tmp_path, let_loose, show):
    """Killed, paused, drained, cut off and refused, all at once; the store is killed three times."""
    with stores.one_server(tmp_path) as store:
        chaos = await let_loose(tmp_path, store.url, on_stores([store], SEED))
    show(chaos.table())
    require_exactness(chaos)


async def test_every_run_outlasts_whatever_befalls_a_cluster(tmp_path, let_loose, show):
    """Three nodes, each with a third of the sessions, and none of them is spared."""
    with stores.cluster(tmp_path) as nodes:
        chaos = await let_loose(tmp_path, cluster_url(nodes), on_stores(nodes, SEED))
    show(chaos.table())
    require_exactness(chaos)


@pytest.fixture
async def failing_over(tmp_path, let_loose):
    """Let a replica take over again and again; return what came of it."""

    async def play(**kind):
        with stores.master_and_replica(tmp_path) as pair:
            async with Proxy(pair[0].port).serving() as way:
                url = f"redis://127.0.0.1:{way.port}"
                return await let_loose(tmp_path, url, on_pair(pair, way, SEED), **kind)

    return play


async def test_every_run_outlasts_failovers_that_wait_for_the_replica(failing_over, show):
    """Nothing has happened of what a new master does not know."""
    chaos = await failing_over(repeats=True, ORCHESTRATOR_REPLICA_ACKS="1")
    show(chaos.table())
    assert chaos.endings() == {"succeeded": RUNS}, chaos.picture()
    require_truth(chaos)


async def test_no_run_tells_a_falsehood_after_failovers_that_wait_for_nobody(failing_over, show):
    """What was lost is said to be lost: no success without its effects, and none of them twice."""
    chaos = await failing_over(repeats=False)
    show(chaos.table())
    assert set(chaos.endings()) <= {
        "succeeded",
        "state_lost",
        "lost",
        "unanswered",
    }, chaos.picture()
    require_truth(chaos)
