"""The plan planner: references, what is checked before, what is answered."""

import json

import pytest
from hypothesis import given, strategies as st

from common.errors import ClientError, ToolError
from common.plans import Plan
from common.runs import RunCreate
from common.tools import ToolSpec
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.planners.plan.references import resolve
from orchestrator.planners.protocol import CallTools, Finish, History
from tests.orchestrator.conftest import step
from tests.orchestrator.fakes import receipt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
SPEC = {
    "name": "read", "description": "d", "effect": "read", "output_schema": {},
    "arguments_schema": {
        "type": "object", "additionalProperties": False, "required": ["path"],
        "properties": {"path": {"type": "string"}, "n": {"type": "integer"}},
    },
}  # fmt: skip
TOOLS = {"read": ToolSpec.model_validate(SPEC)}
FOUND = step(name="find", output={"a/b": {"~": [10, {"x": "y"}]}, "n": 3}, status="succeeded")


def steps_of(value, tokens=()):
    """Yield every pointer into a value with what it points at."""
    yield tokens, value
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in items:
        yield from steps_of(item, (*tokens, str(key)))


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_every_place_in_an_output_can_be_pointed_at(output):
    """RFC 6901, whatever the keys."""
    made = {"s": step(name="s", output=output)}
    for tokens, value in steps_of(output):
        escaped = [token.replace("~", "~0").replace("/", "~1") for token in tokens]
        assert resolve({"$from": "/".join(["s/output", *escaped])}, made) == value


def test_references_keep_types_and_join_makes_text():
    """A number stays a number; in a text it is compact JSON."""
    made = {"find": FOUND}
    pointer = {"$from": "find/output/a~1b/~0/1"}
    assert resolve({"k": [pointer]}, made) == {"k": [{"x": "y"}]}
    assert (
        resolve({"$join": ["n=", {"$from": "find/output/n"}, " ", pointer]}, made)
        == 'n=3 {"x":"y"}'
    )
    assert resolve({"$from": "find/status"}, made) == "succeeded"
    assert resolve({"$from": "a", "other": 1}, made) == {"$from": "a", "other": 1}


@pytest.mark.parametrize(
    "pointer",
    ["nope/output", "find/nope", "find/output/n/x", "find/output/a~1b/~0/2", "find/output/a~1b/~0/01",
     "find/output/a~1b/~0/-1", "find/error/code", 3, None],
)  # fmt: skip
def test_a_pointer_to_nothing_is_refused(pointer):
    """Never a silent null in a file."""
    with pytest.raises(ToolError) as caught:
        resolve({"$from": pointer}, {"find": FOUND})
    assert caught.value.code == "invalid_reference"


def test_the_hint_names_what_is_there():
    """The usual mistake is a wrong key."""
    with pytest.raises(ToolError) as caught:
        resolve({"$from": "find/output/total"}, {"find": FOUND})
    assert caught.value.hint == "There is 'a/b', 'n'."
    with pytest.raises(ToolError):
        resolve({"$join": "text"}, {})


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
def test_a_plan_that_is_bound_to_fail_is_refused_before_it_starts(steps, fields):
    """All of its faults at once, each with its place."""
    with pytest.raises(ClientError) as caught:
        PlanPlanner().check(RunCreate(plan=Plan.model_validate({"steps": steps})), TOOLS)
    assert caught.value.code == "invalid_plan"
    assert [field.field for field in caught.value.context.fields] == fields


def test_what_comes_by_reference_is_not_judged_early():
    """Its type is known only when it runs."""
    steps = [
        {"name": "a", "tool": "read", "arguments": {"path": "x"}},
        {"name": "b", "tool": "read", "arguments": {"path": {"$from": "a/output/x"}, "n": {"$from": "a/output/n"}}},
    ]  # fmt: skip
    PlanPlanner().check(RunCreate(plan=Plan.model_validate({"steps": steps})), TOOLS)
    with pytest.raises(ClientError):
        PlanPlanner().check(RunCreate(goal="x"), TOOLS)


async def test_steps_are_given_one_by_one():
    """The next one may need what the last one gave."""
    plan = Plan.model_validate(
        {"steps": [{"name": "find", "tool": "t"},
                   {"name": "b", "tool": "t", "arguments": {"x": {"$from": "find/output/n"}}, "on_error": "continue"},
                   {"name": "c", "tool": "t", "arguments": {"x": {"$from": "b/output/n"}}}]}
    )  # fmt: skip
    planner = PlanPlanner()
    decision = await planner.next(History(None, plan, [FOUND]))
    assert isinstance(decision, CallTools)
    [call] = decision.calls
    assert (call.name, call.arguments, call.on_error) == ("b", {"x": 3}, "continue")
    failed = step(2, name="b", status="failed")
    decision = await planner.next(History(None, plan, [FOUND, failed]))
    assert decision.calls[0].refusal.code == "invalid_reference"
    done = step(3, name="c", status="succeeded", receipts=[receipt("p", "0")])
    assert await planner.next(History(None, plan, [FOUND, failed, done])) == Finish(
        "3 steps done: 1 created, 1 failed"
    )
    assert json.loads(plan.model_dump_json())["steps"][1]["arguments"] == {
        "x": {"$from": "find/output/n"}
    }


@pytest.mark.parametrize(
    ("receipts", "told"),
    [
        ([[("p", "1")], [("p", None)]], "2 steps done"),
        ([[("p", "1")], [("q", None)]], "2 steps done: 1 created, 1 removed"),
        ([[("p", None)], [("p", "1")]], "2 steps done: 1 changed"),
    ],
)
async def test_a_plans_changes_are_counted_from_what_they_come_to(receipts, told):
    """Step by step, a file that was made and removed again counted as created."""
    plan = Plan.model_validate({"steps": [{"name": "a", "tool": "t"}, {"name": "b", "tool": "t"}]})
    steps = [
        step(n, status="succeeded", receipts=[receipt(*it) for it in made])
        for n, made in enumerate(receipts, start=1)
    ]
    assert await PlanPlanner().next(History(None, plan, steps)) == Finish(told)
