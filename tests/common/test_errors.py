"""The error table and its way over the wire."""

import pytest
from pydantic import TypeAdapter, ValidationError

from common.error_table import ERRORS
from common.errors import (
    MAX_FIELD_LENGTH,
    MAX_FIELDS,
    MAX_LISTED,
    ClientError,
    SystemFault,
    ToolError,
    error,
    fields_of,
    from_problem,
    told_of_fields,
)
from common.models import Strict

CLASSES = {"tool": ToolError, "client": ClientError, "system": SystemFault}


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_survives_the_wire(code):
    """Nothing is lost between file IO and the client: class, facts, hint, outcome, ids."""
    sent = error(
        code, "it happened", hint="do this", outcome="executed",
        path="a/b", tool="read_file", errno="ENOENT", limit=3, actual=4,
        fields=[{"field": "x", "message": "y"}], current_sha256="0" * 64,
    )  # fmt: skip
    problem = sent.problem("execution_environment", "req_1")
    received = from_problem(problem)
    assert type(received) is CLASSES[ERRORS[code].family]
    assert received.problem("orchestrator", "req_2") == problem


@pytest.mark.parametrize("spec", ERRORS.values(), ids=list(ERRORS))
def test_every_row_of_the_error_table_says_what_to_do(spec):
    """An error without a next step is half an error."""
    assert 400 <= spec.status < 600
    assert spec.hint.endswith(".")
    assert spec.title


def test_an_unknown_error_code_is_not_trusted():
    """A newer or a foreign service cannot make up classes here."""
    problem = ToolError("path_not_found", "x").problem("orchestrator", None)
    stranger = problem.model_copy(update={"code": "brand_new", "context": {"nonsense": 1}})
    received = from_problem(stranger)
    assert (type(received), received.code, received.detail) == (SystemFault, "upstream_failed", "x")


def test_context_added_to_an_error_does_not_overwrite_what_is_known():
    """The place that raised knows best."""
    failure = ToolError("path_not_found", "x", path="inner")
    failure.add_context(path="outer", tool="read_file")
    assert (failure.context.path, failure.context.tool) == ("inner", "read_file")


class Value(Strict):
    """A value."""

    name: str


def fields_for(value):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Value).validate_python(value)
    return fields_of(caught.value)


def test_wrong_fields_are_named_without_what_was_in_them():
    """It may be a secret."""
    fields = fields_for({"name": 1, "sec": "ret"})
    assert [field.field for field in fields] == ["name", "sec"]
    assert "ret" not in str(fields)
    assert told_of_fields(fields, "the value") == "Not valid: name, sec"


def test_the_first_fields_are_named_in_bounded_words():
    """A client reads some of them."""
    fields = fields_for({f"{n}".rjust(300): 1 for n in range(MAX_LISTED - 1)})
    assert len(fields) == MAX_FIELDS
    assert {len(field.field) for field in fields[1:]} == {MAX_FIELD_LENGTH}


def test_of_too_many_errors_the_number_is_told():
    """To list a hundred thousand holds the interpreter for a third of a second."""
    [field] = fields_for({f"{n}": 1 for n in range(MAX_LISTED)})
    assert (field.field, field.message[:5]) == ("", f"{MAX_LISTED + 1} ")
    assert told_of_fields([field], "the value") == "Not valid: the value"
