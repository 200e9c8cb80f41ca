"""Steps: what their calls carry, a lost worker's step in flight, a fence that is too low."""

import pytest

from common.errors import ToolError
from common.runs import Budget
from orchestrator.engine.calls import FenceTooLow
from orchestrator.engine.signals import Signals
from orchestrator.planners.decisions import Call
from tests.orchestrator.builders import event_types, step, turn
from tests.orchestrator.fakes import (
    ScriptedExecutor,
    ScriptedPlanner,
    broken_inside,
    call,
    fenced,
    runner_of,
)

NOT_FOUND = ToolError("path_not_found", "no x")
pytestmark = pytest.mark.usefixtures("impatient")


async def test_step_makes_a_call_that_says_who_asked_and_how_long_it_may_take(execute):
    """The context is what the audit trail will know."""
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    run, executor = await execute([call()], [{}], traceparent=traceparent, budget=Budget(seconds=3))
    [(made, sent)] = executor.calls
    assert (made.id, made.fence > 0, sent) == (f"{run.id}:1:1", True, traceparent)
    context = made.context
    assert (context.request_id, context.user_id, context.run_id) == ("req_1", "ann", run.id)
    assert (context.step_id, context.session_id) == (run.steps[0].id, run.session_id)
    assert context.allowed_paths_root.startswith("ann/ses-")
    assert 0 < context.timeout <= 3


async def test_step_whose_reference_points_at_nothing_is_recorded_and_its_call_not_made(execute):
    """The arguments cannot be made: there is nothing to call."""
    unknown = Call("a", "read_file", {"path": {"$from": "find/output"}}, has_references=True)
    run, executor = await execute([unknown], [])
    assert (run.error.code, executor.calls, run.steps[0].attempts) == ("invalid_reference", [], 0)


@pytest.fixture
def take_over(store, leased, redis):
    """Lose a worker in its first step, and have another one go on."""

    async def run(planned, executor, *, signals=None, **more):
        lease = await leased(**more)
        in_flight = step(name="a", tool="write_file", arguments={"path": "x"})
        on_error = planned[0].on_error
        decided = turn(in_flight)
        decided.calls[0] = decided.calls[0].model_copy(update={"on_error": on_error})
        await store.progress.record_turn(lease, decided)
        await store.progress.record(lease, [(in_flight, decided.calls[0])])
        await redis.hset(f"test:{{{lease.session.id}}}:run:{lease.run.id}", "deadline", "1")
        taken = await store.leases.acquire(lease.session.id, lease.run.id, "worker-2")
        runner = runner_of(store, executor, ScriptedPlanner(*planned))
        await runner.execute(taken, signals or Signals())
        return await store.runs.get(lease.session.id, lease.run.id), in_flight, taken

    return run


async def test_run_resumes_with_the_very_same_call_after_its_worker_dies(take_over, store):
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


async def test_step_in_flight_keeps_its_on_error(take_over):
    """The turn says what is to happen then."""
    executor = ScriptedExecutor(NOT_FOUND, {})
    run, *_ = await take_over([call("a", on_error="continue"), call("b")], executor)
    assert (run.status, [made.status for made in run.steps]) == (
        "succeeded",
        ["failed", "succeeded"],
    )
    assert executor.settled == [f"{run.id}:1:1"]


async def test_cancelled_run_that_is_taken_over_settles_its_call(take_over):
    """The lost worker's call may be on its way still."""
    signals = Signals()
    signals.cancelled.set()
    executor = ScriptedExecutor({}, settlements=[{"sha256": "1"}])
    run, *_ = await take_over([call("a"), call("b")], executor, signals=signals)
    assert (run.status, [made.status for made in run.steps]) == ("cancelled", ["succeeded"])
    assert executor.settled == [f"{run.id}:1:1"]


async def test_step_under_a_stale_fence_ends_the_work_at_once(execute):
    """The step stays in flight, for the owner with the newer fence."""
    with pytest.raises(FenceTooLow) as caught:
        await execute([call()], [fenced(2**62)])
    assert caught.value.highest == 2**62


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_step_whose_settlement_is_fenced_is_left_to_the_newer_owner(execute, is_cancelled):
    """What becomes of the call is that owner's business: it is not recorded as unknown."""
    signals = Signals()

    async def lose():
        if is_cancelled:
            signals.cancelled.set()
        raise broken_inside()

    with pytest.raises(FenceTooLow) as caught:
        await execute([call()], [lose], signals, settlements=[fenced(2**62)])
    assert caught.value.highest == 2**62
