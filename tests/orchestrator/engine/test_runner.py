"""The runner: what it makes of answers, errors, cancels, budgets and a lost worker."""

import pytest

from common.errors import SystemFault, ToolError
from common.plans import Plan
from common.runs import Budget
from orchestrator.engine.signals import Signals
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.rules.planner import RulesPlanner
from tests.orchestrator.builders import event_types
from tests.orchestrator.fakes import ScriptedExecutor, call, runner_of

NOT_FOUND = ToolError("path_not_found", "no x", path="x", errno="ENOENT")
BROKEN = SystemFault("internal", "a bug", outcome="not_executed")
NOT_SENT = SystemFault("unavailable", "cannot be reached")


async def test_run_ends_with_its_answer_and_the_last_receipt_per_path(execute, store):
    """Every step is recorded before its call and after it."""

    run, _ = await execute([call("a"), call("b")], [{"sha256": "1"}, {"sha256": "2"}])
    assert (run.status, run.result.answer) == ("succeeded", "all done")
    assert [made.output for made in run.steps] == [{"sha256": "1"}, {"sha256": "2"}]
    assert await event_types(store, run.session_id) == [
        "session.created", "run.queued", "run.started", "turn.decided", "step.started", "step.succeeded",
        "turn.decided", "step.started", "step.succeeded", "run.succeeded",
    ]  # fmt: skip
    assert [(change.path, change.sha256_after) for change in run.result.changes] == [("p", "2")]


async def test_run_lists_no_change_that_it_has_undone(execute):
    """It was listed among the changes, with the hash of a file that was not there."""
    run, _ = await execute([call("a"), call("b")], [{"sha256": "1"}, {"sha256": None}])
    assert [made.receipts[0].path for made in run.steps] == ["p", "p"]
    assert run.result.changes == []


async def test_run_stops_at_a_refusal_or_passes_over_it(execute):
    """As the step's on_error says; the error is the step's outcome either way."""
    stopped, _ = await execute([call("a"), call("b")], [NOT_FOUND])
    assert (stopped.status, len(stopped.steps)) == ("failed", 1)
    assert (stopped.error.code, stopped.error.context["errno"]) == ("path_not_found", "ENOENT")
    passed, _ = await execute([call("a", on_error="continue"), call("b")], [NOT_FOUND, {}])
    assert (passed.status, [s.status for s in passed.steps]) == (
        "succeeded",
        ["failed", "succeeded"],
    )


async def test_run_fails_at_a_fault_whatever_on_error_says(execute):
    """It is nobody's answer, and what is not transient is not tried again."""
    run, executor = await execute([call(on_error="continue"), call("b")], [BROKEN])
    assert (run.status, run.error.code, run.error.retryable) == ("failed", "internal", False)
    assert len(executor.calls) == 1


@pytest.mark.parametrize(("budget", "code"), [(Budget(steps=1), "budget_exceeded"), (Budget(seconds=0.001), "deadline_exceeded")])  # fmt: skip
async def test_run_fails_at_the_end_of_its_budget(execute, budget, code):
    """Steps and seconds."""
    run, _ = await execute([call("a"), call("b"), call("c")], [{}, {}, {}], budget=budget)
    assert (run.status, run.error.code) == ("failed", code)
    assert len(run.steps) <= 1


async def test_run_cancelled_between_steps_makes_no_call(execute):
    """Effective at once."""
    signals = Signals()
    signals.cancelled.set()
    run, executor = await execute([call()], [{}], signals)
    assert (run.status, executor.calls) == ("cancelled", [])


async def test_run_is_given_back_between_steps_when_its_worker_drains(execute):
    """Another one goes on; nothing is done twice."""
    signals = Signals()

    async def drain():
        signals.draining.set()
        return {}

    run, executor = await execute([call("a"), call("b")], [drain], signals)
    assert (run.status, len(run.steps), len(executor.calls)) == ("queued", 1, 1)


async def test_run_tells_its_plan_once(store, leased):
    """Before its first step."""
    plan = Plan.model_validate({"steps": [{"name": "a", "tool": "t"}]})
    lease = await leased(goal=None, plan=plan, planner="plan")
    runner = runner_of(store, ScriptedExecutor(), PlanPlanner(), name="plan")
    await runner.execute(lease, Signals())
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert (await event_types(store, run.session_id)).count("run.planned") == 1
    assert run.plan == plan


async def test_run_makes_no_call_of_a_decision_beyond_its_budget(store, leased):
    """Two of three replacements help nobody: nothing is begun that would not be finished."""
    hits = [{"path": name, "line": 1, "text": "old"} for name in "abc"]
    found = {"matches": hits, "total": 3, "truncated": False}
    for steps, made, status in ((3, 1, "failed"), (4, 4, "succeeded")):
        executor = ScriptedExecutor(found)
        runner = runner_of(store, executor, RulesPlanner())
        goal = "replace old with new in *.txt"
        lease = await leased(goal=goal, budget=Budget(steps=steps))
        await runner.execute(lease, Signals())
        run = await store.runs.get(lease.session.id, lease.run.id)
        assert (len(executor.calls), run.status) == (made, status)
        assert run.error is None or (run.error.code, run.error.context["actual"]) == (
            "budget_exceeded",
            4,
        )
