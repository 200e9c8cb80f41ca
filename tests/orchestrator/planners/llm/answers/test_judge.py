"""What is said of a schema, and of an answer by it; the process around that has tests of its own."""

import json

import pytest

from orchestrator.planners.llm.answers.judge import faults

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
TREE = {"properties": {"next": {"$ref": "#/$defs/tree"}, "n": {"type": "integer"}}}


def judged(schema, answer=None):
    return faults({"schema": schema, "answer": None if answer is None else json.dumps(answer)})


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "nothing"}, "is no JSON schema"),
        ({"properties": {"x": {"minimum": "3"}}}, "is no JSON schema"),
        ({"$ref": "https://example.org/schema.json"}, "another document"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "another document"),
        ({"$ref": 5}, "another document"),
        ({"$id": "https://example.org/x", "type": "object"}, "$id"),
        ({"anyOf": [{"$dynamicRef": "#x"}]}, "$dynamicRef"),
        ({"$ref": "#/$defs/nowhere"}, "not there"),
        ({"allOf": [{}], "$ref": "#/allOf/x"}, "not there"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "$schema"),
        ({"$schema": ["x"]}, "$schema"),
        ({"not": {"$schema": DRAFT}}, "$schema"),
        ({"anyOf": [{"pattern": "("}]}, "pattern"),
        ({"patternProperties": {"(": {}}}, "pattern"),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(schema, told):
    """And no URL in it is ever opened."""
    [fault] = judged(schema)
    assert told in fault


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": DRAFT, "type": "string"},
        {"$schema": DRAFT_7, "items": [{"$ref": "#/definitions/a"}], "definitions": {"a": True}},
        {"properties": {"pattern": {"type": "string"}, "$ref": {}, "patternProperties": {}}},
        {"const": {"patternProperties": 1}, "examples": [{"$ref": "x"}]},
        {"$defs": {"tree": TREE}, "$ref": "#/$defs/tree"},
        {"$defs": {"a/b~ c": {"$anchor": "here"}}, "allOf": [{"$ref": "#here"}, {"$ref": "#/$defs/a~1b~0%20c"}]},
        {"patternProperties": {"^(?!x)": {"type": "integer"}}, "unevaluatedProperties": False},
    ],
)  # fmt: skip
def test_a_schema_that_can_be_kept_to_is_taken(schema):
    """What is a name or data in it is no keyword."""
    assert judged(schema) == []


@pytest.mark.parametrize(
    ("place", "reference"),
    [("examples", "#/examples/0"), ("unknown", "#/unknown/0"), ("const", "#/const/0")],
)
def test_what_nobody_has_checked_as_a_schema_cannot_be_referred_to(place, reference):
    """Else a model would be asked for an answer that nobody can judge."""
    [fault] = judged({place: [{"required": 5}], "$ref": reference})
    assert "not there" in fault


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"$defs": {"tree": TREE}, "$ref": "#/$defs/tree"}, {"next": {"n": 1}}, {"next": {"n": "1"}}),
        ({"$schema": DRAFT, **TREE, "$defs": {"tree": {"$ref": "#"}}}, {"next": {"n": 1}}, {"next": {"n": "1"}}),
        ({"prefixItems": [{"$ref": "#/$defs/a%20b"}], "$defs": {"a b": {"type": "null"}}}, [None], [1]),
        ({"$schema": DRAFT_7, "items": [{"type": "null"}]}, [None, 1], [1]),
        ({"pattern": "^(a+)+$"}, "a" * 40, "a" * 5000 + "!"),
        ({"pattern": "^(?!x)"}, "a", "x"),
        ({"pattern": r"^\pL+$"}, "é", "1"),
        ({"type": "integer"}, 1.0, 1.5),
        ({"uniqueItems": True}, [1, True, "1", [1]], [1, 1.0]),
        ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"a": 2, "b": 1}], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
        ({"$schema": DRAFT, "uniqueItems": True, "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {}}}, [[1], [2]], [[1], [1.0]]),
        ({"unevaluatedProperties": False, "allOf": [{"properties": {"a": {}}}]}, {"a": 1}, {"b": 1}),
    ],
)  # fmt: skip
def test_an_answer_is_judged_as_the_draft_says(schema, right, wrong):
    """Wherever a reference leads, and however a number is written."""
    assert judged(schema) == []
    assert judged(schema, right) == []
    assert judged(schema, wrong)


def test_items_are_compared_in_one_pass():
    """Each with each other one would take minutes over an answer of a megabyte."""
    items = [{"a": n, "b": [n]} for n in range(20_000)]
    assert judged({"uniqueItems": True}, items) == []
    assert judged({"uniqueItems": True}, [*items, {"b": [7], "a": 7}]) == ["the answer: it has an item twice"]  # fmt: skip


def test_a_mismatch_is_told_in_bounded_words():
    """A model reads it."""
    told = judged({"items": {"type": "integer"}}, ["x" * 1000] * 100)
    assert 0 < len("\n".join(told)) < 4000
    assert told[0].startswith("0: ")
