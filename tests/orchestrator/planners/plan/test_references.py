"""References in a plan: to every place in an output, and to nothing else."""

import pytest
from hypothesis import given, strategies as st

from common.errors import ToolError
from orchestrator.planners.plan.references import resolve
from tests.orchestrator.builders import step

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
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
