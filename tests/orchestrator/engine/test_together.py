"""What came of a step is stored with what comes next: in one, or not at all, and nothing is called before."""

import asyncio
from collections import Counter

import pytest

from orchestrator.engine.signals import Signals
from orchestrator.planners.decisions import Call, CallTools, Finish
from orchestrator.store import progress
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.fencing import Fenced
from orchestrator.store.store import make_store
from tests.orchestrator.builders import begun, event_types, taken_over
from tests.orchestrator.fakes import (
    ConversingPlanner,
    DecisivePlanner,
    OneByOne,
    ScriptedExecutor,
    call,
    runner_of,
)

pytestmark = pytest.mark.usefixtures("impatient")
WRITES = [call(name, "write_file") for name in "abcdefghij"]


@pytest.fixture
def scripts(store, monkeypatch):
    """Count the scripts that are run; `meanwhile` is done ahead of the n-th of a name, once."""
    counted, meanwhile = Counter(), {}
    run_script = store.backend.script

    async def script(name, *arguments, **more):
        counted[name] += 1
        if (work := meanwhile.pop((name, counted[name]), None)) is not None:
            await work()
        return await run_script(name, *arguments, **more)

    monkeypatch.setattr(store.backend, "script", script)
    return counted, meanwhile


async def execute(store, lease, planner, executor, signals=None):
    """Have a worker go on with a run; return it."""
    await runner_of(store, executor, planner).execute(lease, signals or Signals())
    return await store.runs.get(lease.session.id, lease.run.id)


@pytest.mark.parametrize(
    ("calls", "most"), [(WRITES, 10), ([call(name) for name in "abcdefghij"], 5)]
)
async def test_run_of_ten_steps_is_stored_in_few_writes(store, leased, scripts, calls, most):
    """It took twenty for the steps alone; what comes of reads that end together is stored together."""
    lease, (counted, _) = await leased(), scripts
    counted.clear()
    run = await execute(store, lease, DecisivePlanner(*calls), ScriptedExecutor())
    assert (run.status, len(run.steps)) == ("succeeded", 10)
    assert counted["record_steps"] <= most
    assert (counted["record_turn"], counted["finish"]) == (1, 1)


async def test_events_of_steps_keep_their_order(store, leased):
    """Whoever follows sees a change end before the next one begins, and all end before the run."""
    planner = DecisivePlanner(*WRITES[:2], call("r"), call("s"))
    run = await execute(store, await leased(), planner, ScriptedExecutor())
    types = [kind for kind in await event_types(store, run.session_id) if "step" in kind]
    began, made = "step.started", "step.succeeded"
    assert types == [began, made, began, made, began, began, made, made]
    assert (await event_types(store, run.session_id))[-1] == "run.succeeded"


async def test_call_is_made_once_its_beginning_is_stored(store, leased):
    """Whoever takes the run over asks about it; and what came before it is stored by then."""
    lease, seen = await leased(), []

    async def look():
        run = await store.runs.get(lease.session.id, lease.run.id)
        seen.append([made.status for made in run.steps])
        return {}

    await execute(store, lease, DecisivePlanner(*WRITES[:3]), ScriptedExecutor(look, look, look))
    assert seen == [["running"], ["succeeded", "running"], ["succeeded"] * 2 + ["running"]]


@pytest.mark.parametrize(("at", "name"), [(2, "record_steps"), (1, "finish")])
async def test_worker_that_is_lost_before_an_outcome_is_stored_leaves_its_step_under_way(
    store, redis, leased, scripts, at, name
):
    """The next one makes the same call again, under the same id, and no other was made by then."""
    lease, (_, meanwhile) = await leased(), scripts

    async def lose():
        raise StoreUnavailable("unavailable", "the store is away")

    meanwhile[name, at] = lose
    planner, executor = (
        DecisivePlanner(*WRITES[: 2 if name == "record_steps" else 1]),
        ScriptedExecutor(),
    )
    with pytest.raises(StoreUnavailable):
        await execute(store, lease, planner, executor)
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert [made.status for made in run.steps] == ["running"]
    again = await taken_over(store, redis, lease)
    run = await execute(store, again, planner, executor)
    assert {made.status for made in run.steps} == {"succeeded"}
    numbers = [made.id.split(":", 1)[1] for made, _ in executor.calls]
    assert numbers == ["1:1", "1:1", "2:1"][: len(run.steps) + 1]
    types = Counter(await event_types(store, run.session_id))
    assert types["step.started"] == types["step.succeeded"] == len(run.steps)


async def test_owner_that_lost_its_run_after_a_call_makes_no_further_one(
    store, redis, leased, scripts
):
    """Its write is refused as a whole: neither what came of the step is stored, nor the next begun."""
    lease, (_, meanwhile) = await leased(), scripts

    async def take_over():
        await taken_over(store, redis, lease)

    meanwhile["record_steps", 2] = take_over
    executor = ScriptedExecutor()
    with pytest.raises(Fenced):
        await execute(store, lease, DecisivePlanner(*WRITES[:2]), executor)
    assert len(executor.calls) == 1
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert [made.status for made in run.steps] == ["running"]


@pytest.mark.parametrize("bound", ["max_step_output", "max_run_output"])
@pytest.mark.parametrize("on_error", ["stop", "continue"])
@pytest.mark.parametrize("is_last", [False, True])
async def test_output_that_does_not_fit_is_known_before_anything_rests_on_it(
    redis, bound, on_error, is_last
):
    """The step has failed: what comes next is not begun with what nobody can read, or not at all."""
    store = make_store(redis, "test", StoreConfig(**{bound: 2000}))
    lease = await begun(store)
    calls = [call("a", "write_file", on_error=on_error), *([] if is_last else [WRITES[1]])]
    executor = ScriptedExecutor({"x": "a" * 4000})
    run = await execute(store, lease, DecisivePlanner(*calls), executor)
    assert (run.steps[0].error.code, run.steps[0].output) == ("output_too_large", None)
    goes_on = on_error == "continue"
    assert run.status == ("succeeded" if goes_on else "failed")
    assert len(executor.calls) == len(run.steps) == (1 if is_last or not goes_on else 2)
    types = await event_types(store, run.session_id)
    assert [kind for kind in types if "step" in kind][:2] == ["step.started", "step.failed"]


async def test_outcome_is_stored_before_a_model_is_asked(store, leased):
    """That may take minutes, and whoever follows the run does not wait for it."""
    lease, seen = await leased(), []

    async def look(_around):
        run = await store.runs.get(lease.session.id, lease.run.id)
        seen.append([made.status for made in run.steps])
        return Finish("all done")

    planner = ConversingPlanner(CallTools([call("a")]), look)
    assert (await execute(store, lease, planner, ScriptedExecutor())).status == "succeeded"
    assert seen == [["succeeded"]]


async def test_outcome_is_stored_when_its_worker_drains(store, leased):
    """The next one has no reason to ask about the call once more."""
    signals = Signals()

    async def drain():
        signals.draining.set()
        return {}

    run = await execute(
        store, await leased(), DecisivePlanner(*WRITES[:2]), ScriptedExecutor(drain), signals
    )
    assert (run.status, [made.status for made in run.steps]) == ("queued", ["succeeded"])


async def test_reads_of_a_turn_go_in_one_request(store, leased):
    """Unless one of them stands alone."""
    together = []

    class Batches(ScriptedExecutor):
        async def call_many(self, calls, traceparent=None):
            together.append([made.id.split(":")[1] for made in calls])
            return await super().call_many(calls, traceparent)

    planner = DecisivePlanner(call("a"), call("b"), call("c"))
    run = await execute(store, await leased(), planner, Batches({"x": 1}, {"x": 2}, {"x": 3}))
    assert [made.output for made in run.steps] == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert together == [["1", "2", "3"]]


async def test_read_that_has_ended_is_stored_while_others_take_their_time(store, leased):
    """A slow one keeps nobody from seeing it."""
    lease, seen = await leased(), asyncio.Event()

    async def slow():
        while True:
            run = await store.runs.get(lease.session.id, lease.run.id)
            if "succeeded" in [made.status for made in run.steps]:
                seen.set()
                return {}
            await asyncio.sleep(0.01)

    run = await execute(store, lease, DecisivePlanner(call("a"), call("b")), OneByOne({}, slow))
    assert (run.status, seen.is_set()) == ("succeeded", True)


async def test_read_that_ends_while_another_is_being_stored_goes_with_the_next_write(
    store, leased, scripts
):
    """It was lost between what was counted and what was sent, and its run was interrupted."""
    (counted, meanwhile), storing = scripts, asyncio.Event()

    async def second_ends():
        storing.set()
        for _ in range(20):  # turns of the loop, until its task has ended
            await asyncio.sleep(0)

    async def second():
        await storing.wait()
        return {"x": 2}

    meanwhile["record_steps", 2] = second_ends
    planner, executor = DecisivePlanner(call("a"), call("b")), OneByOne({"x": 1}, second)
    run = await execute(store, await leased(), planner, executor)
    assert [made.output for made in run.steps] == [{"x": 1}, {"x": 2}]
    assert counted["record_steps"] == 2
    types = Counter(await event_types(store, run.session_id))
    assert types["step.started"] == types["step.succeeded"] == 2


async def test_step_that_refers_to_what_cannot_be_kept_is_made_with_what_is_stored(redis, leased):
    """It was ended by what was not so, and that was stored."""
    store = make_store(redis, "test", StoreConfig(max_step_output=2000))
    first = Call("a", "write_file", {"path": "x"}, on_error="continue")
    given = {"path": "y", "content": {"$from": "a/error/code"}}
    second = Call("b", "write_file", given, has_references=True)
    executor = ScriptedExecutor({"x": "a" * 4000}, {})
    run = await execute(store, await leased(), DecisivePlanner(first, second), executor)
    assert (run.status, [made.status for made in run.steps]) == (
        "succeeded", ["failed", "succeeded"],
    )  # fmt: skip
    assert executor.calls[1][0].arguments["content"] == "output_too_large"


async def test_beginning_that_arrives_late_behind_what_does_not_fit_begins_nothing(
    redis, leased, monkeypatch
):
    """It was given up on the wire, and sent again."""
    store, sent = make_store(redis, "test", StoreConfig(max_run_output=2000)), []
    run_script = store.backend.script

    async def late(name, *arguments, **more):
        answer = await run_script(name, *arguments, **more)
        if name == "record_steps":
            sent.append(arguments)
        if "full" in answer:
            await run_script("record_steps", *sent[0])
        return answer

    monkeypatch.setattr(store.backend, "script", late)
    call_ = Call("a", "write_file", {"path": "x"}, on_error="continue")
    executor = ScriptedExecutor({"x": "a" * 4000})
    run = await execute(store, await leased(), DecisivePlanner(call_, WRITES[0]), executor)
    types = Counter(await event_types(store, run.session_id))
    assert [made.status for made in run.steps] == ["failed", "succeeded"]
    assert types["step.started"] == 2


async def test_outputs_that_do_not_fit_are_measured_a_few_times_each(redis, leased, monkeypatch):
    """Each began a round in which all that were left were written down again, on the loop."""
    store, measured = make_store(redis, "test", StoreConfig(max_step_output=2000)), []
    record = progress.step_record

    def counted(*entry):
        measured.append(entry)
        return record(*entry)

    monkeypatch.setattr(progress, "step_record", counted)
    names = "abcdefgh"
    calls = [Call(name, "read_file", {"path": "x"}, on_error="continue") for name in names]
    executor = ScriptedExecutor(*[{"x": "a" * 4000}] * len(names))
    run = await execute(store, await leased(), DecisivePlanner(*calls), executor)
    assert [made.status for made in run.steps] == ["failed"] * len(names)
    assert len(measured) <= 4 * len(names)
