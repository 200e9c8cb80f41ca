"""The plan planner: what is checked before, which step comes next, what is answered."""

import time

import pytest

from common.errors import ClientError
from common.plans import Plan
from common.runs import RunCreate
from common.tools import ToolSpec
from orchestrator.planners.decisions import CallTools, Finish
from orchestrator.planners.plan.planner import MAX_FIELDS, PlanPlanner
from orchestrator.planners.protocol import History, Surroundings
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


def test_plan_with_the_misspelt_name_of_a_tool_is_told_the_nearest():
    """Whoever wrote `reads` need not look the tools up."""
    steps = [{"name": "a", "tool": "reads"}, {"name": "b", "tool": "nope"}]
    with pytest.raises(ClientError) as caught:
        PlanPlanner().check(RunCreate(plan=Plan.model_validate({"steps": steps})), TOOLS)
    assert [field.message for field in caught.value.context.fields] == [
        "there is no such tool. Did you mean read?",
        "there is no such tool",
    ]


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


EDIT = {
    "name": "edit", "description": "d", "effect": "write", "output_schema": {},
    "arguments_schema": {
        "$defs": {"one": {"type": "object", "required": ["x"], "additionalProperties": False,
                          "properties": {"x": {"type": "integer"}}}},
        "properties": {
            "edits": {"type": "array", "maxItems": 3,
                      "items": {"anyOf": [{"$ref": "#/$defs/one"}, {"type": "string"}]}},
            "mode": {"enum": [["a"], ["b"]]},
        },
    },
}  # fmt: skip


def faults_of(planner, arguments, tools, count=1):
    """Return the fields that a plan is refused for, whose steps all have these arguments."""
    first = {"name": "first", "tool": "read", "arguments": {"path": "x"}}
    steps = [{"name": f"s{n}", "tool": "edit", "arguments": arguments} for n in range(count)]
    try:
        planner.check(RunCreate(plan=Plan.model_validate({"steps": [first, *steps]})), tools)
    except ClientError as refused:
        return [field.field for field in refused.context.fields]
    return []


COMING = {"$from": "first/output/x"}


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"edits": COMING, "mode": COMING}, []),
        ({"edits": [{"x": COMING}, COMING, {"$join": ["a", COMING]}], "mode": [COMING]}, []),
        ({"edits": [{"x": COMING, "y": 1}]}, ["steps.1.arguments.edits.0"]),
        ({"edits": [{"x": "no"}, COMING]}, ["steps.1.arguments.edits.0"]),
        ({"edits": [COMING] * 4}, ["steps.1.arguments.edits"]),
        ({"edits": {"a": COMING}}, ["steps.1.arguments.edits"]),
    ],
)
def test_plan_check_waits_for_what_comes_by_reference_and_for_nothing_else(arguments, fields):
    """What stands in the plan is bound to fail whatever a reference beside it gives."""
    tools = {**TOOLS, "edit": ToolSpec.model_validate(EDIT)}
    assert faults_of(PlanPlanner(), arguments, tools) == fields


class CountedTools(dict[str, ToolSpec]):
    """A catalogue that counts how often it is read as a whole."""

    reads = 0

    def items(self):
        """Count."""
        self.reads += 1
        return super().items()


def test_schemas_of_a_catalogue_are_made_ready_once():
    """For each step of a plan it took longer than all the rest; a newer catalogue is seen."""
    edit = ToolSpec.model_validate(EDIT)
    planner, tools = PlanPlanner(), CountedTools(**TOOLS, edit=edit)
    for _ in range(3):
        assert faults_of(planner, {"edits": ["a"]}, tools, count=50) == []
    assert tools.reads == 1
    anything = edit.model_copy(update={"arguments_schema": {}})
    assert faults_of(planner, {"edits": 1}, tools) == ["steps.1.arguments.edits"]
    assert faults_of(planner, {"edits": 1}, {**TOOLS, "edit": anything}) == []


def test_plan_check_stops_at_the_faults_that_it_tells():
    """A plan of a thousand steps may have a hundred thousand."""
    seen = []

    class Watched(dict[str, ToolSpec]):
        def __contains__(self, name):
            seen.append(name)
            return super().__contains__(name)

    tools = Watched(**TOOLS, edit=ToolSpec.model_validate(EDIT))
    assert len(faults_of(PlanPlanner(), {"edits": 1}, tools, count=900)) == MAX_FIELDS
    assert len(seen) == MAX_FIELDS + 1


@pytest.mark.parametrize(
    "arguments",
    [{"edits": [0] * 90_000}, {"edits": [{"x": 1}] * 45_000}, {"edits": [[COMING] * 45_000]}],
    ids=["wrong items", "too many items", "references"],
)
def test_plan_check_takes_no_longer_than_what_it_can_tell(arguments):
    """Five seconds of one core, for a body of 180 KB."""
    tools = {**TOOLS, "edit": ToolSpec.model_validate(EDIT)}
    started = time.thread_time()
    assert len(faults_of(PlanPlanner(), arguments, tools)) == 1
    assert time.thread_time() - started < 1.5


def test_fault_deep_in_a_plan_is_told_in_short():
    """A place holds the plan's own keys, which may be as long as the plan."""
    bad = {"$from": "nothing/output"}
    tools = {**TOOLS, "edit": ToolSpec.model_validate(EDIT)}
    fields = faults_of(PlanPlanner(), {"k" * 100_000: [bad] * 1000}, tools)
    assert len(fields) == MAX_FIELDS
    assert max(map(len, fields)) <= 200
