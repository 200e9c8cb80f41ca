"""A worker is lost at each point between preview, answer and effect: done once, never before, or never."""

from itertools import count
from typing import Any

import pytest

from common.errors import AgenticError
from orchestrator.engine import steps
from orchestrator.engine.calls import step_call
from orchestrator.planners.plan.planner import PlanPlanner
from tests.orchestrator.engine.world import LostError, World, plan_of
from tests.orchestrator.fakes import until

pytestmark = pytest.mark.usefixtures("impatient")
MOST = 80
"""Points: far more than there are."""
STEPS: tuple[Any, ...] = (
    ("first", "write_file", {"path": "x", "content": "one\n", "mode": "upsert"}, {}),
    ("never", "write_file", {"path": "never", "content": "n\n"}, {"on_error": "continue"}),
    (
        "then", "edit_file",
        {"path": "x", "edits": [{"old_text": "one", "new_text": "two"}]}, {},
    ),
    ("last", "append_file", {"path": "log", "content": "done\n"}, {}),
)  # fmt: skip


class Losing:
    """Loses the worker before, or after, the n-th thing that is asked of a part."""

    def __init__(self, at, *, is_after):
        self._left, self._is_after = at, is_after
        self.happened = False

    def around(self, work):
        """Return the work, at which the worker may be lost."""

        async def at_risk(*arguments, **more):
            self._left -= 1
            is_now = self._left == 0
            self.happened |= is_now
            if is_now and not self._is_after:
                raise LostError
            result = await work(*arguments, **more)
            if is_now:
                raise LostError
            return result

        return at_risk


@pytest.fixture
def lose_at(store, redis, leased, files, monkeypatch):
    """Do one run to its end, with a worker lost at a point; tell whether there was such a point."""

    async def run(part, point, *, is_after):
        losing = Losing(point, is_after=is_after)
        lease = await leased(planner="plan", goal=None, plan=plan_of(*STEPS), approval="writes")
        one = World(store, redis, files, PlanPlanner(), lease)
        with monkeypatch.context() as patched:
            if part == "store":
                patched.setattr(store.backend, "script", losing.around(store.backend.script))
            else:
                patched.setattr(files, "run", losing.around(files.run))
            await to_the_end(one)
        check(one, await one.run())
        return losing.happened

    return run


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("part", "fewest"), [("store", 9), ("execution environment", 7)])
async def test_what_was_approved_is_done_once_wherever_a_worker_is_lost(
    lose_at, part, fewest, is_after
):
    """Each point in turn, until there is none left; what was rejected is never done."""
    assert await points_of(lose_at, part, is_after) > fewest


async def test_call_that_forgot_its_name_would_be_seen_here(lose_at, monkeypatch):
    """The control: made again under another name, what was appended would be there twice."""
    numbers = count(1)

    def forgetful(*arguments, **more):
        call = step_call(*arguments, **more)
        return call.model_copy(update={"id": f"{call.id}{next(numbers)}", "expected": None})

    monkeypatch.setattr(steps, "step_call", forgetful)
    with pytest.raises(AssertionError):
        await points_of(lose_at, "execution environment", is_after=True)


async def points_of(lose_at, part, is_after):
    """Lose a worker at each point in turn; return how many there are."""
    point = 1
    while await lose_at(part, point, is_after=is_after):
        point += 1
        assert point < MOST, "there are more points than that"
    return point - 1


async def to_the_end(one):
    """Have workers take the run up, and people answer, until it has ended."""

    async def has_ended():
        run = await taken_up(one)
        if run.status == "awaiting_approval":
            assert written(one) == {}
            await answered(one)
        return run.status not in ("queued", "running", "awaiting_approval")

    await until(has_ended)


async def taken_up(one):
    run = await one.run()
    if run.status in ("queued", "running"):
        try:
            run = await one.go()
        except LostError:  # before it had a lease, or as it was to give it back
            await one.lose()
            run = await one.run()
    return run


async def answered(one):
    try:
        await one.say(first="approved", never="rejected", then="approved", last="approved")
    except LostError:  # its client asks again
        return
    except AgenticError as refusal:
        assert refusal.code in ("invalid_state", "precondition_failed")


def written(one):
    """Return the workspace's files."""
    return {path.name: path.read_text() for path in one.files.iterdir()}


def check(one, run):
    assert run.status == "succeeded", run.error
    assert written(one) == {"x": "two\n", "log": "done\n"}
    assert [step.status for step in run.steps] == ["succeeded", "failed", "succeeded", "succeeded"]
    assert run.steps[1].error.code == "rejected"
