"""Lost answers, cancels, lost workers, stale fences: what the orchestrator does so that each call
takes effect once, and says truthfully what became of it."""

import asyncio
from datetime import timedelta

import pytest

from common.errors import ClientError, SystemFault, ToolError
from orchestrator.engine.runner import Runner
from orchestrator.engine.signals import Signals
from orchestrator.engine.steps import FenceTooLow, StepMaker
from orchestrator.execution import retrying
from tests.orchestrator.conftest import event_types, step
from tests.orchestrator.fakes import ScriptedExecutor, ScriptedPlanner, call

NOT_SENT = SystemFault("unavailable", "cannot be reached")
NOT_FOUND = ToolError("path_not_found", "no x")
EXPIRED = ClientError("call_expired", "nobody knows", outcome="unknown")


def lost(times=1):
    """Return answers that were lost."""
    return [SystemFault("upstream_failed", "the connection broke") for _ in range(times)]


def broken_inside():
    """Return what the execution environment answers when it fails itself."""
    failure = SystemFault("internal", "a bug")
    failure.source = "execution_environment"
    return failure


def fenced(highest):
    """Return the refusal of a stale fence."""
    return ClientError("fenced", "a newer owner", limit=highest, actual=1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No long pauses."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retrying, "SETTLE_TIME", 0.2)


async def test_a_lost_answer_is_asked_for_again_under_the_same_id(execute):
    """The execution environment replays what it has done."""
    run, executor = await execute([call()], [*lost(2), {"sha256": "1"}])
    assert (run.status, run.steps[0].attempts) == ("succeeded", 3)
    assert len({made.id for made, _ in executor.calls}) == 1
    assert executor.settled == []


@pytest.mark.parametrize(
    ("settlement", "status", "outcome"),
    [
        ({"sha256": "1"}, "succeeded", None),
        (None, "failed", "not_executed"),
        (EXPIRED, "failed", "unknown"),
    ],
)
async def test_an_answer_that_never_comes_is_settled(execute, settlement, status, outcome):
    """At the deadline the call has happened, or it never will; if nobody can tell, it is unknown."""
    run, executor = await execute([call()], lost(100), call_timeout=0.1, settlements=[settlement])
    assert run.status == status
    assert (run.error.outcome if run.error else None) == outcome
    assert executor.settled == [f"{run.id}:1:1"]


async def test_settling_is_tried_again_and_given_up_in_time(execute):
    """The service may be back a moment later."""
    run, executor = await execute(
        [call()], [broken_inside()], settlements=[NOT_SENT, *lost(), {"sha256": "1"}]
    )
    assert (run.status, len(executor.calls), len(executor.settled)) == ("succeeded", 1, 3)
    run, _ = await execute([call()], [broken_inside()], settlements=[NOT_SENT] * 100)
    assert (run.status, run.error.code, run.error.outcome) == ("failed", "internal", "unknown")


async def test_an_error_after_a_lost_answer_is_settled_too(execute):
    """The first attempt may still be on its way: without a tombstone it could take effect."""
    run, executor = await execute([call()], [*lost(), NOT_FOUND])
    assert (run.error.code, run.error.outcome) == ("path_not_found", "not_executed")
    assert len(executor.settled) == 1
    run, executor = await execute([call()], [NOT_FOUND])
    assert executor.settled == []


@pytest.mark.parametrize(
    ("settlement", "status", "outcome"),
    [
        ({"sha256": "1"}, "succeeded", None),
        (None, "cancelled", None),
        (EXPIRED, "cancelled", "unknown"),
    ],
)
async def test_a_cancel_settles_the_call_in_flight(execute, store, settlement, status, outcome):
    """Before `run.cancelled`: nothing takes effect afterwards, and what has is recorded."""
    signals = Signals()

    async def forever():
        signals.cancelled.set()
        await asyncio.Event().wait()

    run, executor = await execute([call()], [forever], signals, settlements=[settlement])
    [made] = run.steps
    assert (run.status, made.status) == ("cancelled", status)
    assert (made.error.outcome if made.error else None) == outcome
    assert executor.settled == [f"{run.id}:1:1"]
    assert [receipt.sha256_after for receipt in made.receipts] == (["1"] if settlement == {"sha256": "1"} else [])  # fmt: skip
    assert (await event_types(store, run.session_id))[-1] == "run.cancelled"


# A worker that was lost in the middle of a step


@pytest.fixture
def take_over(store, leased, redis):
    """Lose a worker in its first step, and have another one go on."""

    async def run(planned, executor, *, signals=None, **more):
        lease = await leased(**more)
        in_flight = step(name="a", tool="write_file", arguments={"path": "x"})
        await store.progress.start_step(lease, in_flight)
        await redis.hset(f"test:{{{lease.session.id}}}:run:{lease.run.id}", "deadline", "1")
        taken = await store.leases.acquire(lease.session.id, lease.run.id, "worker-2")
        steps = StepMaker(store.progress, executor, timedelta(seconds=5))
        runner = Runner(store, {"rules": ScriptedPlanner(*planned)}, steps)
        await runner.execute(taken, signals or Signals())
        return await store.runs.get(lease.session.id, lease.run.id), in_flight, taken

    return run


async def test_a_step_whose_worker_was_lost_is_asked_for_again(take_over, store):
    """The very same call: its id, tool and stored arguments; only the fence is new."""
    executor = ScriptedExecutor({"sha256": "1"}, {})
    run, in_flight, taken = await take_over([call("a"), call("b")], executor)
    assert run.status == "succeeded"
    made, _ = executor.calls[0]
    assert (made.id, made.tool, made.arguments) == (
        f"{run.id}:1:1",
        in_flight.tool,
        in_flight.arguments,
    )
    assert (made.fence, made.context.step_id) == (taken.fence, in_flight.id)
    assert [(made.n, made.id == in_flight.id, made.status) for made in run.steps] == [
        (1, True, "succeeded"),
        (2, False, "succeeded"),
    ]
    assert (await event_types(store, run.session_id)).count("step.started") == 2


async def test_a_step_in_flight_keeps_its_on_error(take_over):
    """The planner is asked again what was to happen then."""
    executor = ScriptedExecutor(NOT_FOUND, {})
    run, *_ = await take_over([call("a", on_error="continue"), call("b")], executor)
    assert (run.status, [made.status for made in run.steps]) == (
        "succeeded",
        ["failed", "succeeded"],
    )
    assert executor.settled == [f"{run.id}:1:1"]


async def test_a_cancelled_run_that_is_taken_over_settles_its_call(take_over):
    """The lost worker's call may be on its way still."""
    signals = Signals()
    signals.cancelled.set()
    executor = ScriptedExecutor({}, settlements=[{"sha256": "1"}])
    run, *_ = await take_over([call("a"), call("b")], executor, signals=signals)
    assert (run.status, [made.status for made in run.steps]) == ("cancelled", ["succeeded"])
    assert executor.settled == [f"{run.id}:1:1"]


# Fences


async def test_a_stale_fence_ends_the_work_at_once(execute):
    """The step stays in flight, for the owner with the newer fence."""
    with pytest.raises(FenceTooLow) as caught:
        await execute([call()], [fenced(2**62)])
    assert caught.value.highest == 2**62


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_settlement_that_is_fenced_leaves_the_step_to_the_newer_owner(
    execute, is_cancelled
):
    """What becomes of the call is that owner's business: it is not recorded as unknown."""
    signals = Signals()

    async def lose():
        if is_cancelled:
            signals.cancelled.set()
        raise broken_inside()

    with pytest.raises(FenceTooLow) as caught:
        await execute([call()], [lose], signals, settlements=[fenced(2**62)])
    assert caught.value.highest == 2**62
