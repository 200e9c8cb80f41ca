"""References in a plan: to every place in an output, and to nothing else."""

import json
import tracemalloc
from typing import ClassVar

import pytest
from hypothesis import given, strategies as st

from common.errors import ToolError
from common.runs import Step
from orchestrator.planners.plan.references import resolve_arguments
from tests.orchestrator.builders import step

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
FOUND = step(name="find", output={"a/b": {"~": [10, {"x": "y"}]}, "n": 3}, status="succeeded")


class CountedStep(Step):
    """Counts how often it is read as a whole."""

    dumps: ClassVar[int] = 0

    def model_dump(self, **how):
        """Count."""
        CountedStep.dumps += 1
        return super().model_dump(**how)


def resolve(value, steps, max_bytes=10_000):
    """Resolve one value as an argument."""
    return resolve_arguments({"a": value}, steps, max_bytes)["a"]


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
def test_reference_can_point_at_every_place_in_an_output(output):
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
def test_reference_to_nothing_is_refused(pointer):
    """Never a silent null in a file."""
    with pytest.raises(ToolError) as caught:
        resolve({"$from": pointer}, {"find": FOUND})
    assert caught.value.code == "invalid_reference"


def test_reference_to_nothing_is_told_what_is_there():
    """The usual mistake is a wrong key."""
    with pytest.raises(ToolError) as caught:
        resolve({"$from": "find/output/total"}, {"find": FOUND})
    assert caught.value.hint == "There is 'a/b', 'n'."
    with pytest.raises(ToolError):
        resolve({"$join": "text"}, {})


def test_references_that_double_are_refused_before_anything_big_is_built():
    """A plan of 15 KB came to 300 MB in the store, and to 1.1 GB in the process."""
    made = {"a": step(name="a", output={"text": "x" * 100_000})}
    value = {"$from": "a/output/text"}
    for _ in range(30):
        value = {"$join": [value, value]}
    tracemalloc.start()
    try:
        with pytest.raises(ToolError) as caught:
            resolve(value, made, max_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "output_too_large"
    assert caught.value.context.limit == 1_000_000
    assert 1_000_000 < caught.value.context.actual < 2_000_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "arguments",
    [
        {
            "a": [{"$from": "find/output"}, {"$join": ["ä\n", {"$from": "find/output/n"}]}],
            "b": None,
        },
        {"a": {"k": {"$join": [{"$join": ["é"] * 9}, {"$from": "find/output"}]}}, "ü": [1.5, True]},
        {"a": [{}, [], ""]},
    ],
)
def test_bound_of_what_references_resolve_to_counts_it_as_it_is_stored(arguments):
    """Exactly to the byte: nothing below the bound is refused, and nothing above it is built."""
    made = {"find": FOUND}
    resolved = resolve_arguments(arguments, made, 10_000)
    size = len(json.dumps(resolved, ensure_ascii=False, separators=(",", ":")).encode())
    assert resolve_arguments(arguments, made, size) == resolved
    with pytest.raises(ToolError):
        resolve_arguments(arguments, made, size - 1)


def test_step_that_many_references_point_at_is_read_once():
    """Each reading of a large output takes as long as writing it."""
    made = CountedStep(**FOUND.model_dump())
    CountedStep.dumps = 0
    resolve([{"$from": "find/output/n"}] * 100, {"find": made})
    assert CountedStep.dumps == 1


@pytest.mark.parametrize("deep", [list, dict])
def test_hostile_nesting_of_arguments_is_an_error_and_no_crash(deep):
    """A planner may make what no client could send."""
    value = deep()
    for _ in range(100_000):
        value = [value] if deep is list else {"$join": [value]}
    with pytest.raises(ToolError) as caught:
        resolve(value, {})
    assert caught.value.code == "invalid_arguments"
    while value:  # taken apart level by level: the interpreter's own way is as deep as the value
        value = value.pop() if deep is list else value["$join"].pop()


def test_pointer_that_points_at_nothing_is_repeated_in_short():
    """An error is stored, sent and logged."""
    with pytest.raises(ToolError) as caught:
        resolve({"$from": f"find/output/{'x' * 100_000}"}, {"find": FOUND})
    assert len(caught.value.detail) < 1000
