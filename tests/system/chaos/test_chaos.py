"""Everything fails at random, and every run succeeds, each effect once and in order.

`make chaos RUNS=200` makes more runs, SEED=n repeats what was drawn.
"""

import os
import sys

import pytest

from tests.system.chaos import stores
from tests.system.chaos.deployment import deployed
from tests.system.chaos.harness import Chaos
from tests.system.chaos.torment import on_stores

RUNS = int(os.environ.get("RUNS", "12"))
SEED = int(os.environ.get("SEED", "4711"))


@pytest.fixture
def show(capsys):
    """Print what a reader wants to see of a test that went well, too."""

    def write(text):
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return write


def require_exactness(chaos):
    """Fail unless every run has succeeded, each effect once and in order, and was told of so."""
    wrong = [*chaos.doubles(), *chaos.holes()]
    wrong += [text for session in chaos.sessions for text in session.strangers]
    assert (chaos.endings(), wrong) == ({"succeeded": RUNS}, []), chaos.picture()
    assert not chaos.effects(), chaos.effects()


async def test_every_run_outlasts_whatever_befalls_processes_and_store(tmp_path, show):
    """Killed, paused, drained, cut off and refused, all at once; the store is killed three times."""
    with stores.servers(tmp_path, 1) as servers:
        async with deployed(tmp_path, f"redis://127.0.0.1:{servers[0].port}") as deployment:
            chaos = Chaos(deployment, RUNS, SEED)
            await chaos.open()
            await chaos.run(on_stores(servers, SEED))
            show(chaos.table())
            require_exactness(chaos)
