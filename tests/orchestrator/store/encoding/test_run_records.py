"""Runs as they are kept: what older programs have stored is read, and gone on with."""

from common.errors import ToolError
from common.plans import Plan
from orchestrator.engine.signals import Signals
from orchestrator.planners.plan.planner import PlanPlanner
from tests.orchestrator.builders import expire_lease, step
from tests.orchestrator.fakes import ScriptedExecutor, runner_of

PLAN = Plan.model_validate(
    {"steps": [{"name": name, "tool": "write_file", "arguments": {"path": name}, "on_error": "continue"}
               for name in "abc"]}
)  # fmt: skip


async def test_run_that_format_2_has_begun_is_gone_on_with(store, leased, redis):
    """It kept its steps whole and had no turns: in a rolling upgrade such runs are under way."""
    lease = await leased(goal=None, plan=PLAN, planner="plan")
    ids = lease.session.id, lease.run.id
    key = store.backend.keys.steps(*ids)
    for n, name, status in ((1, "a", "succeeded"), (2, "b", "running")):
        kept = {"tool": "write_file", "arguments": {"path": name}, "started_at": 0}
        made = step(n, name=name, status=status, **kept)
        await redis.hset(key, str(n), made.model_dump_json())
    await redis.hset(store.backend.keys.run(*ids), "plan", PLAN.model_dump_json())
    await expire_lease(redis, lease)
    taken = await store.leases.acquire(*ids, "another")
    assert [call.on_error for call in taken.adopted.calls] == ["continue", "continue"]
    executor = ScriptedExecutor()
    await runner_of(store, executor, PlanPlanner(), name="plan").execute(taken, Signals())
    assert [(made.id[-3:], made.arguments) for made, _ in executor.calls] == [
        ("2:1", {"path": "b"}),
        ("3:1", {"path": "c"}),
    ]
    run = await store.runs.get(*ids)
    assert (run.status, run.plan) == ("succeeded", PLAN)
    assert [(made.n, made.name, made.tool) for made in run.steps] == [
        (1, "a", "write_file"),
        (2, "b", "write_file"),
        (3, "c", "write_file"),
    ]


async def test_run_of_format_2_that_a_step_was_to_stop_ends_there(store, leased, redis):
    """Its worker was lost between the step's outcome and the run's ending."""
    steps = [{"name": name, "tool": "write_file"} for name in "ab"]
    lease = await leased(goal=None, plan=Plan.model_validate({"steps": steps}), planner="plan")
    ids = lease.session.id, lease.run.id
    problem = ToolError("path_not_found", "no x").problem("execution_environment", "r")
    failed = step(1, name="a", tool="write_file", status="failed", error=problem)
    failed = failed.model_copy(update={"started_at": lease.session.created_at})
    await redis.hset(store.backend.keys.steps(*ids), "1", failed.model_dump_json())
    await expire_lease(redis, lease)
    executor = ScriptedExecutor()
    taken = await store.leases.acquire(*ids, "another")
    await runner_of(store, executor, PlanPlanner(), name="plan").execute(taken, Signals())
    run = await store.runs.get(*ids)
    assert (run.status, run.error.code, executor.calls) == ("failed", "path_not_found", [])
