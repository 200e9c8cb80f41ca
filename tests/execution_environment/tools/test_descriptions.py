"""What the tools say of themselves: a model has nothing else to choose and to call them by."""

import pytest

from execution_environment.calls.registry import discover

SPECS = [tool.spec for tool in discover().values()]
MAX_LINE = 80
MAX_DESCRIPTION = 200


def undescribed(schema):
    """Yield the arguments, nested ones too, without one short line that says what they are for."""
    if isinstance(schema, dict):
        for name, argument in schema.get("properties", {}).items():
            line = argument.get("description", "")
            if not line.endswith(".") or "\n" in line or len(line) > MAX_LINE:
                yield name
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from undescribed(part)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_argument_of_a_tool_has_one_short_line_that_says_what_it_is_for(spec):
    """A model that has to guess at an argument invents its value."""
    assert list(undescribed(spec.arguments_schema)) == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_tool_says_when_to_use_it_in_a_few_words(spec):
    """Among fourteen tools a model picks by that; and it reads all of it at every turn."""
    assert "Use it " in spec.description
    assert len(spec.description) <= MAX_DESCRIPTION


def test_an_argument_without_a_line_is_noticed_at_any_depth():
    """The first of the rules above can fail."""
    nested = {"type": "object", "properties": {"deep": {"type": "string"}}}
    schema = {
        "$defs": {"Nested": nested},
        "properties": {
            "said": {"description": "What it is for."},
            "long": {"description": "x" * MAX_LINE + "."},
            "items": {"description": "Many.", "items": {"properties": {"bare": {}}}},
        },
    }
    assert sorted(undescribed(schema)) == ["bare", "deep", "long"]
