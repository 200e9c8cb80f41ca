"""A client's schema for the answer: bounded before it is used, whatever it holds."""

import json
import time
from threading import BoundedSemaphore

import pytest

from common.errors import ClientError, SystemFault
from orchestrator.planners.llm.answers import output_schema
from orchestrator.planners.llm.answers.output_schema import (
    AnswerMismatch,
    check_schema,
    matching_json,
)


def doubling(leaf, levels):
    """A few lines whose last is referred to twice by the one before, and so on."""
    named = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**named, f"l{levels}": leaf}, "$ref": "#/$defs/l0"}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "nothing"}, "is no JSON schema"),
        ({"description": "x" * 20_000}, "is longer"),
        ({"$ref": "#"}, "without an end"),
        (doubling({}, 40), "takes more than"),
        ({"allOf": [{"pattern": rf"\pL{{400}}{n}"} for n in range(600)]}, "takes more than"),
    ],
    ids=["no type", "long", "endless", "doubling", "patterns"],
)
def test_a_schema_that_cannot_be_kept_to_is_refused_when_the_run_is_made(schema, told):
    """Not after a model was paid for."""
    with pytest.raises(ClientError) as caught:
        check_schema(schema)
    assert caught.value.code == "invalid_request"
    assert told in caught.value.detail


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"pattern": "^(?=a)(a+)+$"}, "a" * 50 + "!"),
        ({"anyOf": [doubling({"maxLength": 1}, 12), True], **doubling({"maxLength": 1}, 12)}, "a" * 10**6),
    ],
    ids=["backtracking", "memory"],
)  # fmt: skip
def test_what_an_answer_takes_is_taken_elsewhere_and_bounded(schema, answer):
    """Python's patterns hold the interpreter, and the library keeps what it has seen in memory."""
    check_schema(schema)
    begun = time.process_time()
    with pytest.raises(AnswerMismatch, match="takes more than"):
        matching_json(json.dumps(answer), schema)
    assert time.process_time() - begun < 1


def test_number_that_is_beyond_a_double_is_no_answer():
    """A library that divides it has nothing to say of it."""
    with pytest.raises(AnswerMismatch, match="not valid JSON: a number is out of range"):
        matching_json(json.dumps(10**400), {"multipleOf": 0.5})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"a": 1.0, "b": "\\u00e9"}', '{"a":1.0,"b":"é"}'),
        ('```json\n{"a": 1}\n```', '{"a":1}'),
        ('Here it is:\n```\n{"a": 1}\n```\nDone.', '{"a":1}'),
        ('```json{"a": 1}```', '{"a":1}'),
        ('{"a": "see ```x``` here"}', '{"a":"see ```x``` here"}'),
        ('```JSON\n{"a": "```x```"}\n```', '{"a":"```x```"}'),
    ],
)
def test_an_answer_that_matches_is_returned_compact(text, answer):
    """Whether it stands in a fence, or has fences in it."""
    assert matching_json(text, {"type": "object"}) == answer


@pytest.mark.parametrize("text", ["", "no JSON", "```json\n", '{"a": NaN}', '{"a": 1} {"a": 2}'])
def test_what_is_no_json_is_no_answer(text):
    """The model is told."""
    with pytest.raises(AnswerMismatch, match="JSON"):
        matching_json(text, {})


def test_a_wrong_answer_is_told_with_its_place():
    """The model mends it."""
    with pytest.raises(AnswerMismatch, match=r"a\.0: 'x' is not of type 'integer'"):
        matching_json('{"a": ["x"]}', {"properties": {"a": {"items": {"type": "integer"}}}})


def test_too_many_schemas_at_once_are_refused(monkeypatch):
    """Each holds a thread, which large bodies need as well."""
    places = BoundedSemaphore(1)
    monkeypatch.setattr(output_schema, "_CHECKS", places)
    monkeypatch.setattr(output_schema, "_PATIENCE", {places: 0.01})
    with places, pytest.raises(SystemFault) as caught:
        check_schema({})
    assert caught.value.code == "overloaded"
    check_schema({})
