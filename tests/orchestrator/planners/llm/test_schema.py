"""Schemas as models read them: short, flat, and as true as before."""

import json

import pytest
from jsonschema import Draft202012Validator

from execution_environment.calls.registry import discover
from orchestrator.planners.llm.schema import for_model

SPECS = [tool.spec for tool in discover().values()]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_schema_for_a_model_has_nothing_that_only_machines_read(spec):
    """Nor what only programs know; but every other argument, with its line, what is required first."""
    short = for_model(spec.arguments_schema)
    Draft202012Validator.check_schema(short)
    for word in ('"$ref"', '"$defs"', '"title"', '"pattern":"', '"null"', '"default":null'):
        assert word not in json.dumps(short, separators=(",", ":"))
    names = list(short["properties"])
    required = short.get("required", [])
    properties = spec.arguments_schema["properties"]
    assert set(properties) - set(names) == {"expected_sha256", "hash"} & set(properties)
    assert sorted(names[: len(required)]) == sorted(required)
    assert all(argument["description"] for argument in short["properties"].values())


def test_schema_for_a_model_keeps_what_informs():
    """Bounds and defaults that it may have to go by; a property may have the name of a keyword."""
    schema = {
        "type": "object",
        "title": "T",
        "additionalProperties": False,
        "properties": {
            "title": {"anyOf": [{"type": "string", "pattern": "x"}, {"type": "null"}],
                      "default": None, "description": "D."},
            "off": {"type": "boolean", "default": False},
            "zero": {"type": "integer", "default": 0, "minimum": 0, "title": "Zero"},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            "table": {"type": "object", "additionalProperties": {"type": "string", "title": "S"}},
        },
    }  # fmt: skip
    assert for_model(schema) == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "D."},
            "off": {"type": "boolean"},
            "zero": {"type": "integer", "default": 0, "minimum": 0},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "table": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


def test_schema_for_a_model_inlines_definitions_and_ends_where_one_holds_itself():
    """A tree of trees has no end."""
    schema = {
        "$defs": {
            "Tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/Tree", "description": "D."}}},
            "Leaf": {"type": "string", "title": "Leaf"},
        },
        "properties": {"tree": {"$ref": "#/$defs/Tree"}, "leaf": {"$ref": "#/$defs/Leaf"}},
    }  # fmt: skip
    assert for_model(schema) == {
        "type": "object",
        "properties": {
            "tree": {"type": "object", "properties": {"below": {"description": "D."}}},
            "leaf": {"type": "string"},
        },
    }


def test_schema_for_a_model_leaves_the_tools_own_as_it_is():
    """Calls are checked against that one."""
    before = json.dumps(SPECS[0].arguments_schema)
    for_model(SPECS[0].arguments_schema)
    assert json.dumps(SPECS[0].arguments_schema) == before


def test_schema_of_a_tool_without_arguments_is_that_of_an_empty_object():
    """Providers refuse one that has no properties."""
    assert for_model({}) == {"type": "object", "properties": {}}
