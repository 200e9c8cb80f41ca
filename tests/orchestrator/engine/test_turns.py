"""Turns: stored before anything of them is done, reads side by side, a change alone, none asked twice."""

import asyncio
from datetime import timedelta

import pytest

from common.errors import ClientError, ToolError
from common.off_loop import SMALL
from common.plans import Plan, TurnCall
from common.runs import Budget
from orchestrator.engine.signals import Signals
from orchestrator.engine.turns import grouped
from orchestrator.planners.decisions import Call
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.plan.references import resolve_arguments
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.store import make_store
from tests.orchestrator.builders import document, event_types, expire_lease, step, turn
from tests.orchestrator.fakes import (
    DecisivePlanner,
    OneByOne,
    ScriptedExecutor,
    call,
    runner_of,
    until,
)

pytestmark = pytest.mark.usefixtures("impatient")


class LostError(Exception):
    """The worker is gone in the middle of a call."""


def lose():
    """Return the outcome of a call in which the worker is lost."""
    return LostError("the process ended")


@pytest.fixture
def go_on(store, leased, redis):
    """Execute a run with one planner, worker after worker, until it has ended."""

    async def run(planner, executor, signals=None, **asked):
        runner = runner_of(store, executor, planner, name=planner.spec.name)
        lease = await leased(planner=planner.spec.name, **asked)
        ids = lease.session.id, lease.run.id
        workers = 1
        while True:
            try:
                await runner.execute(lease, signals or Signals())
            except LostError:
                await expire_lease(redis, lease)
                workers += 1
                lease = await store.leases.acquire(*ids, f"worker-{workers}")
            else:
                return await store.runs.get(*ids)

    return run


async def test_turn_is_gone_on_with_where_the_last_worker_was_lost(go_on, store):
    """The planner is asked once for it: a model's answer that was stored is never paid twice."""
    planner = DecisivePlanner(*(call(name, "write_file") for name in "abc"))
    executor = ScriptedExecutor({}, lose(), {}, lose(), {})
    run = await go_on(planner, executor)
    assert (run.status, planner.asked) == ("succeeded", 2)  # once for the calls, once for the end
    assert [made.id.split(":", 1)[1] for made, _ in executor.calls] == [
        "1:1", "2:1", "2:1", "3:1", "3:1",
    ]  # fmt: skip
    assert [made.n for made in run.steps] == [1, 2, 3]
    [first, last] = await store.runs.turns(run.session_id, run.id)
    assert ([made.name for made in first.calls], last.answer) == (["a", "b", "c"], "all done")


async def test_turn_has_its_reads_made_side_by_side_and_its_changes_alone(go_on):
    """In order: a change waits for what stands before it, and what follows waits for the change."""
    under_way, seen = set(), []

    def meet(name, others):
        async def answer():
            under_way.add(name)
            await until(lambda: under_way >= others)
            seen.append((name, frozenset(under_way)))
            return {"from": name}

        return answer

    calls = [call("a"), call("b"), call("c", "write_file"), call("d"), call("e")]
    together = {"a": {"a", "b"}, "b": {"a", "b"}, "c": {"a", "b", "c"}}
    outcomes = [meet(made.name, together.get(made.name, set("abcde"))) for made in calls]
    run = await go_on(DecisivePlanner(*calls), ScriptedExecutor(*outcomes))
    assert run.status == "succeeded"
    assert dict(seen)["c"] == frozenset("abc")
    assert [made.output["from"] for made in run.steps] == list("abcde")


async def test_turn_asks_about_each_of_several_calls_in_flight(go_on, store):
    """Several reads can have been begun when a worker dies."""
    executor = ScriptedExecutor(lose(), lose(), {}, {})
    run = await go_on(DecisivePlanner(call("a"), call("b")), executor)
    assert [made.id[-3:] for made, _ in executor.calls] == ["1:1", "2:1", "1:1", "2:1"]
    assert [made.status for made in run.steps] == ["succeeded", "succeeded"]
    types = await event_types(store, run.session_id)
    assert types.count("step.started") == types.count("step.succeeded") == 2


async def test_turn_asks_about_calls_in_flight_though_the_time_for_others_is_over(
    store, leased, redis
):
    """The run ended for want of time, and the read that a lost worker had begun stayed `running`."""
    lease = await leased(budget=Budget(seconds=1))
    ids = lease.session.id, lease.run.id
    calls = [TurnCall(n=n, name=f"s{n}", tool="t", arguments={}, effect="read") for n in (1, 2)]
    await store.progress.record_turn(lease, turn().model_copy(update={"calls": calls}))
    await store.progress.record(lease, [(step(), calls[0])])
    await expire_lease(redis, lease)
    await redis.hset(store.backend.keys.run(*ids), "spent", 5000)
    again = await store.leases.acquire(*ids, "another")
    executor = ScriptedExecutor()
    await runner_of(store, executor, DecisivePlanner()).execute(again, Signals())
    run = await store.runs.get(*ids)
    assert (run.status, run.error.code) == ("failed", "deadline_exceeded")
    assert [made.status for made in run.steps] == ["succeeded"]


async def test_run_that_has_made_all_its_calls_in_time_ends_well_though_its_seconds_are_over(
    store, leased, redis
):
    """All was done; only the word about that came late, for its worker was lost."""
    lease = await leased(budget=Budget(seconds=1))
    ids = lease.session.id, lease.run.id
    calls = [TurnCall(n=1, name="s1", tool="t", arguments={}, effect="read")]
    await store.progress.record_turn(lease, turn().model_copy(update={"calls": calls}))
    await store.progress.record(lease, [(step(status="succeeded"), calls[0])])
    await expire_lease(redis, lease)
    await redis.hset(store.backend.keys.run(*ids), "spent", 5000)
    again = await store.leases.acquire(*ids, "another")
    await runner_of(store, ScriptedExecutor(), DecisivePlanner()).execute(again, Signals())
    assert (await store.runs.get(*ids)).status == "succeeded"


@pytest.mark.parametrize("outcomes", [[lose(), {}], [{}]], ids=["in flight", "at the end"])
@pytest.mark.parametrize("names", ["ab", "abc"])
async def test_failure_ends_the_run_of_a_worker_lost_before_it_could_say_so(
    go_on, store, monkeypatch, outcomes, names
):
    """The next worker passed over the step's failure, went on with the changes, and told a success."""
    finish, lost = store.progress.finish, []

    async def lost_once(lease, ending, steps):
        if len(outcomes) == 1 and not lost:
            lost.append(ending)
            await store.progress.record(lease, steps)
            raise lose()
        return await finish(lease, ending, steps)

    monkeypatch.setattr(store.progress, "finish", lost_once)
    calls = [call(name, "write_file" if name == "c" else "read_file") for name in names]
    executor = OneByOne(ToolError("path_not_found", "no"), *outcomes)
    run = await go_on(DecisivePlanner(*calls), executor)
    assert (run.status, run.error.code) == ("failed", "path_not_found")
    assert [made.status for made in run.steps] == ["failed", "succeeded"]


@pytest.mark.parametrize("more", [{}, {"n": 3}])
async def test_turn_beyond_the_budget_does_nothing(go_on, more):
    """Half a replacement helps nobody: 99 of 150 files were changed before the error."""
    calls = [call(name, "write_file") for name in "abcd"][: more.get("n", 4)]
    executor = ScriptedExecutor()
    run = await go_on(DecisivePlanner(*calls), executor, budget=Budget(steps=3))
    ended = (run.status, run.error and run.error.code, len(executor.calls))
    assert ended == (("succeeded", None, 3) if more else ("failed", "budget_exceeded", 0))


async def test_plan_is_one_turn_whose_references_are_resolved_when_their_step_comes(go_on, store):
    """It is stored once, where its calls are, and its arguments come once in an answer."""
    plan = Plan.model_validate(
        {"steps": [
            {"name": "find", "tool": "read_file", "arguments": {"path": "once"}},
            {"name": "use", "tool": "read_file", "arguments": {"path": {"$from": "find/output/x"}}},
        ]}
    )  # fmt: skip
    executor = ScriptedExecutor({"x": "found"}, {})
    run = await go_on(PlanPlanner(), executor, goal=None, plan=plan)
    assert (run.status, run.plan) == ("succeeded", plan)
    assert executor.calls[1][0].arguments == {"path": "found"}
    assert [made.arguments for made in run.steps] == [None, {"path": "found"}]
    assert run.model_dump_json().count("once") == 1


@pytest.mark.parametrize(("content", "is_little"), [("x", True), ("x" * SMALL, False)])
async def test_what_is_little_of_a_run_takes_no_thread(go_on, monkeypatch, content, is_little):
    """Eight threads for a run of one step took longer than the step; renewals wait for nothing long."""
    threads, to_thread = [], asyncio.to_thread
    monkeypatch.setattr(
        asyncio, "to_thread", lambda work, *given: threads.append(work) or to_thread(work, *given)
    )
    arguments = [{"path": "x"}, {"path": {"$from": "s0/output/x"}}]
    steps = [
        {"name": f"s{n}", "tool": "read_file", "arguments": given}
        for n, given in enumerate(arguments)
    ]
    plan = Plan.model_validate({"steps": steps})
    run = await go_on(PlanPlanner(), ScriptedExecutor({"x": content}), goal=None, plan=plan)
    assert (run.status, run.steps[1].arguments) == ("succeeded", {"path": content})
    assert (resolve_arguments not in threads, not threads) == (is_little, is_little)


async def test_plan_is_kept_once(go_on, redis):
    """Six copies of each byte let one key's legal plans fill the store."""
    content = "a long content " * 1000
    arguments = {"path": "x", "content": content}
    plan = Plan.model_validate(
        {"steps": [{"name": "a", "tool": "write_file", "arguments": arguments}]}
    )
    await go_on(PlanPlanner(), ScriptedExecutor(), goal=None, plan=plan)
    kept = 0
    for key in await redis.keys("*"):
        kind = await redis.type(key)
        if kind == "hash":
            kept += sum(value.count(content) for value in (await redis.hgetall(key)).values())
        elif kind == "stream":
            kept += sum(str(fields).count(content) for _, fields in await redis.xrange(key))
    assert kept == 1


def test_grouped_keeps_a_read_behind_what_it_refers_to():
    """And no more reads go together than the setting allows."""
    made = [
        TurnCall(n=n, name=f"s{n}", tool="t", arguments=arguments, effect=effect, has_references=True)
        for n, (effect, arguments) in enumerate(
            [("read", {}), ("read", {"x": [{"$from": "s0/output"}]}), ("read", {}), ("read", {}),
             ("write", {}), ("write", {}), ("read", {})]
        )
    ]  # fmt: skip
    assert [[one.n for one in group] for group in grouped(made, 2)] == [
        [0],
        [1, 2],
        [3],
        [4],
        [5],
        [6],
    ]


def test_grouped_leaves_a_refused_call_alone():
    """Where it ends the run, no read that stood beside it was made."""
    reads = [TurnCall(n=n, name=f"s{n}", tool="t", arguments={}, effect="read") for n in range(5)]
    groups = [[one.n for one in group] for group in grouped(reads, 8, refused={0, 3})]
    assert groups == [[0], [1, 2], [3], [4]]


async def test_call_that_the_execution_environment_knows_as_another_is_lost_state(execute):
    """The store lost a turn that it had confirmed: the run says so, and that nobody knows the outcome."""
    run, _ = await execute(
        [Call("a", "write_file", {})], [ClientError("idempotency_conflict", "x")]
    )
    assert (run.status, run.error.code, run.error.outcome) == ("failed", "state_lost", "unknown")


async def test_run_whose_store_fails_after_a_call_is_resumed(store, leased, redis, monkeypatch):
    """It ended as `unavailable`, `not_executed`, though the effect stood, and its step stayed begun."""
    planner, executor = DecisivePlanner(call("a", "write_file")), ScriptedExecutor(
        {"x": 1}, {"x": 1}
    )
    lease = await leased()
    ids = lease.session.id, lease.run.id

    async def fail(*_):
        raise StoreUnavailable("unavailable", "the store is away")

    with monkeypatch.context() as away:
        away.setattr(store.progress, "finish", fail)
        with pytest.raises(StoreUnavailable):
            await runner_of(store, executor, planner).execute(lease, Signals())
    assert (await store.runs.get(*ids)).status == "running"
    await expire_lease(redis, lease)
    again = await store.leases.acquire(*ids, "another")
    await runner_of(store, executor, planner).execute(again, Signals())
    run = await store.runs.get(*ids)
    assert (run.status, [made.status for made in run.steps]) == ("succeeded", ["succeeded"])
    assert [made.id for made, _ in executor.calls] == [f"{run.id}:1:1"] * 2


async def test_turn_that_no_replica_has_is_not_done_by_the_next_worker_either(real_redis):
    """The first one let go of it; the second found it stored, and made its calls."""
    config = StoreConfig(replica_acks=1, lease=timedelta(seconds=0.1), max_attempts=1)
    store = make_store(real_redis, "test", config)
    opened = await store.sessions.create("ann", None, {}, None)
    asked = document(opened.id)
    await store.runs.create(asked, "reject")
    planner, executor = DecisivePlanner(call("a", "write_file")), ScriptedExecutor()

    async def execute(store, worker):
        lease = await store.leases.acquire(opened.id, asked.id, worker)
        await runner_of(store, executor, planner).execute(lease, Signals())

    for attempt in range(3):  # more than a run has
        with pytest.raises(StoreUnavailable):
            await execute(store, f"worker-{attempt}")
    assert executor.calls == []
    await execute(make_store(real_redis, "test", StoreConfig()), "control")
    assert (len(executor.calls), planner.asked) == (1, 2)
