"""The plan planner: what is checked before, which step comes next, what is answered."""

import pytest

from common.errors import ClientError
from common.plans import Plan
from common.runs import RunCreate
from common.tools import ToolSpec
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.protocol import CallTools, Finish, History, Surroundings
from tests.orchestrator.builders import receipt, step

SPEC = {
    "name": "read", "description": "d", "effect": "read", "output_schema": {},
    "arguments_schema": {
        "type": "object", "additionalProperties": False, "required": ["path"],
        "properties": {"path": {"type": "string"}, "n": {"type": "integer"}},
    },
}  # fmt: skip
TOOLS = {"read": ToolSpec.model_validate(SPEC)}
FOUND = step(name="find", output={"a/b": {"~": [10, {"x": "y"}]}, "n": 3}, status="succeeded")


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ([{"name": "a", "tool": "nope"}], ["steps.0.tool"]),
        ([{"name": "a", "tool": "read"}], ["steps.0.arguments"]),
        ([{"name": "a", "tool": "read", "arguments": {"path": 1}}], ["steps.0.arguments.path"]),
        ([{"name": "a", "tool": "read", "arguments": {"path": "x", "m": 1}}], ["steps.0.arguments"]),
        ([{"name": "a", "tool": "read", "arguments": {"path": {"$from": "a/output"}}}], ["steps.0.arguments.path"]),
        ([{"name": "a", "tool": "read", "arguments": {"path": {"$from": 1}}}], ["steps.0.arguments.path"]),
        (
            [{"name": "a", "tool": "read", "arguments": {"path": "x"}},
             {"name": "b", "tool": "read", "arguments": {"path": {"$join": ["a", {"$from": "a/outputs"}]}}}],
            ["steps.1.arguments.path.$join.1"],
        ),
    ],
)  # fmt: skip
def test_plan_that_is_bound_to_fail_is_refused_before_it_starts(steps, fields):
    """All of its faults at once, each with its place."""
    with pytest.raises(ClientError) as caught:
        PlanPlanner().check(RunCreate(plan=Plan.model_validate({"steps": steps})), TOOLS)
    assert caught.value.code == "invalid_plan"
    assert [field.field for field in caught.value.context.fields] == fields


def test_plan_with_references_is_not_judged_early():
    """Its type is known only when it runs."""
    steps = [
        {"name": "a", "tool": "read", "arguments": {"path": "x"}},
        {"name": "b", "tool": "read", "arguments": {"path": {"$from": "a/output/x"}, "n": {"$from": "a/output/n"}}},
    ]  # fmt: skip
    PlanPlanner().check(RunCreate(plan=Plan.model_validate({"steps": steps})), TOOLS)
    with pytest.raises(ClientError):
        PlanPlanner().check(RunCreate(goal="x"), TOOLS)


async def test_plan_gives_all_steps_that_are_left_as_the_client_wrote_them():
    """They are one decision, made already; references are resolved when their step comes."""
    plan = Plan.model_validate(
        {"steps": [{"name": "find", "tool": "t"},
                   {"name": "b", "tool": "t", "arguments": {"x": {"$from": "find/output/n"}}, "on_error": "continue"},
                   {"name": "c", "tool": "t", "arguments": {"x": {"$from": "b/output/n"}}}]}
    )  # fmt: skip
    planner = PlanPlanner()
    decision = await planner.next(History(None, plan, [FOUND]), Surroundings())
    assert isinstance(decision, CallTools)
    assert [(call.name, call.on_error, call.has_references) for call in decision.calls] == [
        ("b", "continue", True),
        ("c", "stop", True),
    ]
    assert decision.calls[0].arguments == {"x": {"$from": "find/output/n"}}
    failed = step(2, name="b", status="failed")
    done = step(3, name="c", status="succeeded", receipts=[receipt("p", "0")])
    assert await planner.next(History(None, plan, [FOUND, failed, done]), Surroundings()) == Finish(
        "3 steps done: 1 created, 1 failed"
    )


@pytest.mark.parametrize(
    ("receipts", "told"),
    [
        ([[("p", "1")], [("p", None)]], "2 steps done"),
        ([[("p", "1")], [("q", None)]], "2 steps done: 1 created, 1 removed"),
        ([[("p", None)], [("p", "1")]], "2 steps done: 1 changed"),
    ],
)
async def test_plan_counts_what_its_changes_come_to(receipts, told):
    """Step by step, a file that was made and removed again counted as created."""
    plan = Plan.model_validate({"steps": [{"name": "a", "tool": "t"}, {"name": "b", "tool": "t"}]})
    steps = [
        step(n, status="succeeded", receipts=[receipt(*it) for it in made])
        for n, made in enumerate(receipts, start=1)
    ]
    assert await PlanPlanner().next(History(None, plan, steps), Surroundings()) == Finish(told)
