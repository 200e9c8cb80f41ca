"""A client's schema for the answer: bounded before it is used, whatever it holds."""

import json
import time

import pytest

from common.errors import ClientError
from orchestrator.planners.llm.answers.output_schema import (
    AnswerMismatch,
    check_schema,
    matching_json,
)


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "nothing"}, "is no JSON schema"),
        ({"properties": {"x": {"minimum": "3"}}}, "is no JSON schema"),
        ({"description": "x" * 20_000}, "is longer"),
        ({"$ref": "https://example.org/schema.json"}, "another document"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "another document"),
        ({"$id": "https://example.org/x", "type": "object"}, "$id"),
        ({"$ref": "#/$defs/nowhere"}, "not there"),
        ({"$ref": "#"}, "without an end"),
        ({"patternProperties": {"(a+)+$": {}}}, "patternProperties"),
        ({"anyOf": [{"pattern": "(?=x)"}]}, "RE2"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema"),
        ({"unevaluatedProperties": False}, "unevaluatedProperties"),
        ({"$ref": 5}, "another document"),
        ({"allOf": [{}], "$ref": "#/allOf/x"}, "not there"),
        (nested(100), "deep"),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused_when_the_run_is_made(schema, told):
    """Not after a model was paid for; and no URL in it is ever opened."""
    with pytest.raises(ClientError) as caught:
        check_schema(schema)
    assert caught.value.code == "invalid_request"
    assert told in caught.value.detail


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "string"},
        {"properties": {"pattern": {"type": "string"}, "$ref": {}, "patternProperties": {}}},
        {"const": {"patternProperties": 1}, "examples": [{"$ref": "x"}]},
        {"$defs": {"tree": {"properties": {"next": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"},
        {"$defs": {"a/b~ c": {"$anchor": "here"}}, "allOf": [{"$ref": "#here"}, {"$ref": "#/$defs/a~1b~0%20c"}]},
        nested(39),
    ],
)  # fmt: skip
def test_a_schema_that_can_be_kept_to_is_taken(schema):
    """What is a name or data in it is no keyword."""
    check_schema(schema)


@pytest.mark.parametrize(
    ("place", "reference"),
    [("examples", "#/examples/0"), ("unknown", "#/unknown/0"), ("const", "#/const/0")],
)
@pytest.mark.parametrize(
    "unchecked", [{"patternProperties": {"^(a+)+$": False}}, {"pattern": "("}, {"required": 5}, [1]]
)
def test_what_nobody_has_checked_as_a_schema_cannot_be_referred_to(place, reference, unchecked):
    """Else it would be judged by: with Python's own patterns, or with an error of the library's."""
    schema = {place: [unchecked], "$ref": reference}
    with pytest.raises(ClientError, match="not there"):
        check_schema(schema)
    with pytest.raises(AnswerMismatch, match="cannot be followed"):
        matching_json(json.dumps({"a" * 40 + "!": 1}), schema)


def test_a_reference_is_judged_by():
    """Wherever in the document it leads."""
    schema = {
        "properties": {"one": {"type": "integer"}, "two": {"$ref": "#/properties/one"}},
        "prefixItems": [{"$ref": "#/properties/one"}],
    }
    check_schema(schema)
    assert matching_json('{"two": 2}', schema) == '{"two":2}'
    for wrong in ('{"two": "2"}', '["2"]'):
        with pytest.raises(AnswerMismatch, match="is not of type 'integer'"):
            matching_json(wrong, schema)


def test_an_answer_is_judged_in_bounded_time():
    """Each of many items by each of many rules would take minutes."""
    schema = {"items": {"allOf": [{"type": "integer"}] * 800}}
    check_schema(schema)
    begun = time.process_time()
    with pytest.raises(AnswerMismatch, match="cannot be followed"):
        matching_json(json.dumps([1] * 100_000), schema)
    assert time.process_time() - begun < 10


def test_a_pattern_takes_no_longer_than_the_text_is():
    """Python's own patterns would take for ever over this one."""
    schema = {"type": "string", "pattern": "^(a+)+$"}
    check_schema(schema)
    begun = time.process_time()
    with pytest.raises(AnswerMismatch) as caught:
        matching_json('"' + "a" * 5000 + '!"', schema)
    assert time.process_time() - begun < 2
    assert "does not match" in str(caught.value)
    assert matching_json('"aaa"', schema) == '"aaa"'


def test_items_are_compared_in_one_pass():
    """Each with each other one would take minutes over an answer of a megabyte."""
    schema = {"type": "array", "uniqueItems": True}
    items = [{"a": n, "b": [n]} for n in range(20_000)]
    begun = time.process_time()
    matching_json(json.dumps(items), schema)
    with pytest.raises(AnswerMismatch, match="twice"):
        matching_json(json.dumps([*items, {"b": [7], "a": 7}]), schema)
    assert time.process_time() - begun < 5


def test_references_that_double_at_every_step_come_to_an_end():
    """Forty lines that would be followed 2^40 times."""
    levels = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(40)}
    schema = {"$defs": {**levels, "l40": {}}, "$ref": "#/$defs/l0"}
    begun = time.process_time()
    with pytest.raises(ClientError):
        check_schema(schema)
    with pytest.raises(AnswerMismatch):
        matching_json("1", schema)
    assert time.process_time() - begun < 10


def test_a_mismatch_is_told_in_bounded_words():
    """A model reads it."""
    schema = {"type": "array", "items": {"type": "integer"}}
    with pytest.raises(AnswerMismatch) as caught:
        matching_json("[" + ",".join(['"' + "x" * 1000 + '"'] * 100) + "]", schema)
    assert len(str(caught.value)) < 4000
