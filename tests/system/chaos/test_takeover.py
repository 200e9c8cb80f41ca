"""An owner that was paused beyond its lease goes on when another has taken its run over.

The fence and the calls' ids hold that together. The controls run from copies of the tree without
them, in the same harness, and have to show what it is that they hold.
"""

import asyncio
import signal
from collections import Counter

import pytest

from tests.system.chaos import stores
from tests.system.chaos.deployment import deployed, slow
from tests.system.chaos.load import STEPS, Place, appends, line
from tests.system.chaos.sessions import SessionLoad
from tests.system.chaos.trees import WITHOUT_FENCE, WITHOUT_IDS, copy_of_packages

PLACE = Place(0)
LINES = [line(PLACE.number, 0, n) for n in range(STEPS)]


async def reached(condition):
    """Wait for what is to be seen."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


def send(services, number):
    """Send a signal to each of some services."""
    for service in services:
        service.process.send_signal(number)


class Pause:
    """A slow gate that pauses the owner with a call under way.

    Between two calls it might wait for the store, and when it woke, would give the run up for that.
    """

    def __init__(self):
        self.owner = None
        self.is_reached = False

    async def __call__(self, chunk):
        """Pause the owner when its third call comes; let everything through, in its time."""
        if f'"{LINES[2]}'.encode() in chunk and not self.is_reached:
            send([self.owner], signal.SIGSTOP)
            self.is_reached = True
        await slow(chunk)


class Takeover:
    """One run, and what can be seen of it while its owners change."""

    def __init__(self, deployment, pause):
        self.first, *self.others = deployment.orchestrators
        self.pause = pause
        pause.owner = self.first
        self.log = deployment.workspaces / PLACE.user / PLACE.workspace / "log"
        self.urls = [self.first.url]
        self.session = SessionLoad(PLACE, self.urls, deployment.workspaces, 1, [0], asking=appends)

    def steps(self):
        """Count for each step how often its success was told of."""
        told = self.session.follower.events
        return Counter(event.data["n"] for event in told if event.type == "step.succeeded")

    def lines(self):
        """Return what the run has appended so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def doubles(self):
        """Return the lines that are there more than once."""
        return {told for told, times in Counter(self.lines()).items() if times > 1}

    async def play(self):
        """Pause the owner in mid-run, and wake it when another has come further."""
        await self.session.open()
        send(self.others, signal.SIGSTOP)
        living = asyncio.create_task(self.session.live(0.0))
        await reached(lambda: self.pause.is_reached)
        self.urls[:] = [service.url for service in self.others]
        send(self.others, signal.SIGCONT)
        await reached(lambda: max(self.steps(), default=0) >= 6)
        before = self.first.log.read_text()
        send([self.first], signal.SIGCONT)
        await living
        return before


@pytest.fixture
def takeover(tmp_path):
    """Play it with what the tree holds, or with what is left of a copy of it."""

    async def play(changes, is_seen):
        tree = copy_of_packages(tmp_path / "tree", changes) if changes else None
        with stores.one_server(tmp_path) as store:
            pause = Pause()
            async with deployed(tmp_path, store.url, tree, replicas=2, gate=pause) as deployment:
                scene = Takeover(deployment, pause)
                before = await scene.play()
                await reached(lambda: is_seen(scene, before))
                return scene

    return play


async def test_a_paused_owner_adds_nothing_once_another_has_its_run(takeover):
    """What it records is refused for its fence, and what it calls has happened already."""
    scene = await takeover((), lambda scene, before: scene.first.log.read_text() != before)
    assert (scene.lines(), set(scene.steps().values())) == (LINES, {1})
    assert (scene.session.follower.doubles(), scene.session.follower.holes()) == ([], [])


async def test_without_the_fence_a_paused_owner_records_its_steps_once_more(takeover):
    """The control: followers are told twice; the calls' ids still keep the effects to one."""
    scene = await takeover(WITHOUT_FENCE, lambda scene, _before: scene.session.follower.doubles())
    assert scene.lines() == LINES


async def test_without_fence_and_ids_a_paused_owner_doubles_an_effect(takeover):
    """The control: the same harness sees in the file that both have made the last step."""
    scene = await takeover(
        (*WITHOUT_FENCE, *WITHOUT_IDS), lambda scene, _before: LINES[-1] in scene.doubles()
    )
    assert set(scene.lines()) == set(LINES)
