"""A worker is killed between preview, answer and effect: what was approved is done once, nothing before.

One replica does everything up to the moment; it is killed then, and another goes on. The controls run from
copies of the tree in which something is left out, and the same counting has to show it.
"""

import asyncio
import contextlib
import signal

import pytest
import pytest_asyncio

from agentic import AgenticClient
from common.errors import AgenticError
from tests.orchestrator.fakes import until
from tests.system.approvals.asking import (
    append,
    approve,
    asked,
    outcomes,
    plan_of,
    reject,
    states,
)
from tests.system.chaos import stores
from tests.system.chaos.deployment import deployed, key_of
from tests.system.chaos.load import USERS, Place, effects
from tests.system.chaos.proxy import Hold, Proxy, pass_on
from tests.system.chaos.sessions import SessionLoad
from tests.system.chaos.trees import WITHOUT_IDS, Change, copy_of_packages

USER, PLACE = USERS[0], Place(0)
STORE, CALL = "store", "call"
STEPS = (append("log", "1\n"), append("never", "2\n"), append("log", "3\n"), append("end", "4\n"))
OUTCOMES = ["succeeded", "rejected", "succeeded", "succeeded"]
DONE = {"log": "1\n3\n", "end": "4\n"}
BEFORE = {
    "as the changes are previewed": (CALL, b":preview:", 1),
    "as the run is to ask": (STORE, b"awaiting_approval", 1),
}
SENT = (CALL, b"POST /v1/tool-calls ", 1)
MADE = (STORE, b"step.succeeded", 1)
AFTER = {
    "as the answer is to be stored": (STORE, b"approval.received", 1),
    "before a call arrives": SENT,
    "before its outcome is stored": MADE,
    "between two calls": (STORE, b"step.started", 2),
    "before a call that depends on another": (STORE, b"step.succeeded", 2),
    "before the last outcome is stored": (STORE, b"step.succeeded", 3),
}
FORGETFUL = (
    *WITHOUT_IDS,
    Change("orchestrator/engine/calls.py", "        expected=step.expected,\n", ""),
)
"""What was done is neither known by its name nor by what it was to change."""
DEAF = (
    Change(
        "orchestrator/engine/granting.py",
        '    if entry.state == "rejected":\n',
        "    if False:\n",
    ),
)
"""A rejection is forgotten."""
HASTY = (
    Change(
        "orchestrator/approvals/dry_running.py",
        'may_read = call.context.model_copy(update={"access": "read_only"})',
        "may_read = call.context",
    ),
    Change(
        "orchestrator/approvals/dry_running.py", '"context": may_read, "dry_run": True', '"context": may_read'
    ),
    Change("orchestrator/engine/calls.py", 'context_of(run.lease, "read_only"', 'context_of(run.lease, "read_write"'),
)  # fmt: skip
"""What is previewed is done."""
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scene:
    """A deployment of two, of which the first is killed in each run."""

    def __init__(self):
        self.deployment = None
        self.gates = dict.fromkeys((STORE, CALL), pass_on)
        self.runs = 0

    def gate(self, way):
        """Return what holds up a way as it is set at the moment."""
        return lambda chunk: self.gates[way](chunk)

    async def play(self, before=None, after=None):
        """Start a run and answer it; kill its owner at a moment before it asks, or after."""
        first, other = self.deployment.orchestrators
        self.runs += 1
        async with (
            AgenticClient(first.url, key_of(USER)) as one,
            AgenticClient(other.url, key_of(USER)) as two,
            asyncio.timeout(60),
        ):
            session = await one.create_session(f"w{self.runs}")
            self._send(signal.SIGSTOP)
            if before is not None:
                run = await self._killed(before, self._begin(one, session))
                shown = await asked(two, run)
            else:
                run = await self._begin(one, session)
                shown = await asked(one, run)
            assert self.written() == {}
            client = two if after is None else one
            await reject(client, shown, steps=[2], reason="no")
            left = await client.plan(session.id, run.id)
            assert states(left) == ["asks", "rejected", "asks", "asks"]
            if after is not None:
                await self._killed(after, approve(one, left))
            await approve(two, left)
            ended = await two.wait(session.id, run.id)
        await asyncio.to_thread(first.start)
        return ended

    async def _begin(self, client, session):
        plan = plan_of(*STEPS, on_error="continue")
        return await client.start_run(session.id, plan=plan, approval="writes")

    async def _killed(self, moment, asking):
        """Kill the first replica when something is on its way that comes of what is asked for."""
        way, text, times = moment
        self.gates[way] = hold = Hold(text, times)
        answering = asyncio.ensure_future(asking)
        await hold.reached.wait()
        self.deployment.orchestrators[0].kill()
        self.gates[way] = pass_on
        self._send(signal.SIGCONT)
        if not answering.done():  # nobody will ever tell
            answering.cancel()
        with contextlib.suppress(asyncio.CancelledError, AgenticError):
            return await answering
        return None

    def _send(self, number):
        self.deployment.orchestrators[1].process.send_signal(number)

    def written(self):
        """Return what the files of the last run hold."""
        found = (self.deployment.workspaces / USER / f"w{self.runs}").glob("*")
        return {path.name: path.read_text() for path in found}


@contextlib.asynccontextmanager
async def staged(directory, tree=None):
    """Yield a scene, from another tree where one is named."""
    scene = Scene()
    with stores.one_server(directory) as store:
        async with (
            Proxy(store.port, scene.gate(STORE)).serving() as way,
            deployed(
                directory, f"redis://127.0.0.1:{way.port}", tree, replicas=2, gate=scene.gate(CALL)
            ) as deployment,
        ):
            scene.deployment = deployment
            yield scene


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory):
    """One deployment for all moments."""
    async with staged(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


@pytest.mark.parametrize("moment", BEFORE)
async def test_a_run_whose_worker_is_lost_before_it_asks_asks_all_the_same(scene, moment):
    """Nothing was done for that, and what is approved then is done once."""
    ended = await scene.play(before=BEFORE[moment])
    assert (ended.status, outcomes(ended), scene.written()) == ("succeeded", OUTCOMES, DONE)


@pytest.mark.parametrize("moment", AFTER)
async def test_what_was_approved_is_done_once_though_its_worker_is_killed(scene, moment):
    """An approval is for one change, and what was rejected beside it never happens."""
    ended = await scene.play(after=AFTER[moment])
    assert (ended.status, outcomes(ended), scene.written()) == ("succeeded", OUTCOMES, DONE)


async def test_a_worker_that_forgets_what_it_has_done_is_seen_to_do_it_twice(tmp_path):
    """The control: neither the call's name nor what was approved holds it back."""
    tree = copy_of_packages(tmp_path / "tree", FORGETFUL)
    async with staged(tmp_path, tree) as scene:
        await scene.play(after=MADE)
        assert scene.written()["log"].startswith("1\n1\n")


@contextlib.asynccontextmanager
async def playing(directory, changes):
    """Let a session with a run that asks go on, from a copy of the tree; yield it, and a look at the disk."""
    tree = copy_of_packages(directory / "tree", changes)
    with stores.one_server(directory) as store:
        async with (
            deployed(directory, store.url, tree, replicas=1, gate=pass_on) as deployment,
            asyncio.timeout(60),
        ):
            urls, workspaces = deployment.urls, deployment.workspaces
            session = SessionLoad(PLACE, urls, workspaces, 1, [1])
            await session.open()
            living = asyncio.create_task(session.live(0.0))
            try:
                yield session, living, lambda: effects(workspaces, {PLACE: session.succeeded()})
            finally:
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)


async def test_a_run_that_asks_is_answered_to_its_end_and_the_counting_finds_nothing(tmp_path):
    """What the controls are to be compared with."""
    async with playing(tmp_path, ()) as (session, living, found):
        await living
        assert (session.succeeded(), session.person.wrong, bool(found())) == ([1], [], False)


async def test_a_rejection_that_is_forgotten_is_counted(tmp_path):
    """The control: the disk shows what nobody has approved."""
    async with playing(tmp_path, DEAF) as (_, living, found):
        await living
        assert found().unapproved


async def test_a_preview_that_takes_effect_is_counted(tmp_path):
    """The control: it is there before anybody has answered, and the person who looks sees it."""
    async with playing(tmp_path, HASTY) as (session, _, _found):
        await until(lambda: session.person.wrong)
        assert all("before it was answered" in text for text in session.person.wrong)
