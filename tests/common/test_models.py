"""The contract's models: what they refuse, what they let pass."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from common.context import ExecutionContext
from common.files.archives import ArchiveResult
from common.files.directories import DirectoryPage
from common.files.workspaces import Workspace
from common.ids import new_id, request_id_from
from common.models import Digits, Page, UtcTime
from common.plans import Plan, Turn
from common.runs import (
    Budget,
    PlannerSpec,
    Run,
    RunCreate,
    RunResult,
    Step,
)
from common.sessions import Session, SessionCreate
from common.tools import ToolCall, ToolResult

CONTEXT = {
    "request_id": "r1",
    "user_id": "ann",
    "request_source": {"kind": "rest"},
    "allowed_paths_root": "ann/demo",
    "timeout": 5,
}


def test_ids_of_one_prefix_sort_by_time():
    """Lists are ordered by id alone."""
    ids = [new_id("run") for _ in range(3)]
    assert all(len(i) == len("run_") + 32 for i in ids)
    assert [i[:16] for i in ids] == sorted(i[:16] for i in ids)


@pytest.mark.parametrize("foreign", [None, "", "a b", "x" * 129, "a\n", "é"])
def test_malformed_request_ids_are_replaced(foreign):
    """A foreign id goes into logs and headers: only harmless ones are kept."""
    assert request_id_from(foreign).startswith("req_")
    assert request_id_from("trace-1.a_B") == "trace-1.a_B"


@pytest.mark.parametrize(
    "root",
    ["ann", "ann/", "/ann/demo", "ann/../bob", "ann/demo/x", "Ann/demo", "ann/.x", "bob/demo"],
)
def test_a_context_names_just_its_own_users_workspace(root):
    """The root is where the sandbox begins."""
    with pytest.raises(ValidationError):
        ExecutionContext.model_validate(CONTEXT | {"allowed_paths_root": root})


def test_requests_refuse_unknown_fields_and_answers_ignore_them():
    """A typo is an error; a newer service may say more."""
    with pytest.raises(ValidationError):
        ExecutionContext.model_validate(CONTEXT | {"acces": "read_only"})
    session = {
        "id": "ses_" + "0" * 32, "user_id": "ann", "workspace": "w", "ttl": 1.0,
        "created_at": "2026-01-01T00:00:00Z", "new_field": 1,
    }  # fmt: skip
    assert Session.model_validate(session).workspace == "w"


def test_times_without_an_offset_are_refused():
    """A time of day without a zone means something else on each machine."""
    fields = {
        "id": "run_" + "0" * 32, "session_id": "ses_" + "0" * 32, "status": "queued", "goal": "x",
        "planner": "rules", "plan": None, "steps": [], "revision": 1,
    }  # fmt: skip
    assert (
        Run.model_validate(fields | {"created_at": "2026-01-01T01:00:00+01:00"}).created_at.hour
        == 0
    )
    with pytest.raises(ValidationError):
        Run.model_validate(fields | {"created_at": "2026-01-01T01:00:00"})


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_times_beyond_the_calendar_are_refused(moment):
    """They are valid where they were written, and have no counterpart in UTC: it was a fault."""
    with pytest.raises(ValidationError, match="beyond the years"):
        TypeAdapter(UtcTime).validate_python(moment)


@pytest.mark.parametrize(
    "body", [{}, {"goal": "x", "plan": {"steps": [{"name": "a", "tool": "t"}]}}]
)
def test_a_run_has_a_goal_or_a_plan(body):
    """With both, nobody could say which one counts."""
    with pytest.raises(ValidationError, match="either 'goal' or 'plan'"):
        RunCreate.model_validate(body)


def test_step_names_are_unique():
    """A reference names a step."""
    step = {"name": "a", "tool": "t"}
    with pytest.raises(ValidationError, match="unique"):
        Plan.model_validate({"steps": [step, step]})


CALL = {"id": "c", "fence": 1, "tool": "t", "arguments": {}, "context": CONTEXT}


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (SessionCreate, {}, "ttl"),
        (Budget, {}, "steps"),
        (Budget, {}, "seconds"),
        (Budget, {}, "tokens"),
        (ExecutionContext, CONTEXT, "timeout"),
        (ToolCall, CALL, "fence"),
    ],
)
def test_a_number_in_a_request_is_a_number(model, body, field):
    """`true` for a time to live was one second, and everything was gone after it."""
    assert model.model_validate(body | {field: 60})
    for other in (True, "5", "PT5S"):
        with pytest.raises(ValidationError, match=field):
            model.model_validate(body | {field: other})


@pytest.mark.parametrize("ttl", [59.9, 1])
def test_a_time_to_live_below_a_minute_is_refused_with_the_bound(ttl):
    """A session that asked for a second was gone before anybody could keep it."""
    with pytest.raises(ValidationError, match="at least 60 seconds"):
        SessionCreate.model_validate({"ttl": ttl})
    assert SessionCreate.model_validate({"ttl": 60}).ttl == timedelta(seconds=60)
    schema = SessionCreate.model_json_schema()["properties"]["ttl"]
    assert {"type": "number", "minimum": 60.0} in schema["anyOf"]


@pytest.mark.parametrize("ttl", [0, -1, 1e300, 10**400])
def test_a_time_to_live_is_positive_and_bounded(ttl):
    """Refused, never a fault; and what the client sends is the number that the service reads."""
    with pytest.raises(ValidationError, match="ttl"):
        SessionCreate.model_validate({"ttl": ttl})
    sent = SessionCreate(ttl=timedelta(hours=1)).model_dump(mode="json")
    assert sent["ttl"] == 3600.0
    assert SessionCreate.model_validate(sent).ttl == timedelta(hours=1)


@pytest.mark.parametrize("text", ["1_0", "+1", "-1", " 1", "1 ", "1.0", "\u0663", "", "9" * 30])
def test_whole_numbers_in_headers_and_queries_are_digits(text):
    """Python reads `1_0` as ten: a cursor that nobody was given would be taken."""
    with pytest.raises(ValidationError):
        TypeAdapter(Digits).validate_python(text)
    assert TypeAdapter(Digits).validate_python("10") == 10


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (Page[Session], "items"),
        (Run, "steps"),
        (Step, "receipts"),
        (RunResult, "changes"),
        (Turn, "calls"),
        (Turn, "messages"),
        (ToolResult, "receipts"),
        (ArchiveResult, "receipts"),
        (DirectoryPage, "entries"),
        (PlannerSpec, "models"),
        (Workspace, "sessions"),
    ],
)
def test_a_list_that_comes_back_is_wrong_by_its_first_item(model, field):
    """Each of a million `{}` had an error for each of its fields: 8 GB from an answer of 3 MB."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate({field: [{}] * 100})
    places = [error["loc"] for error in caught.value.errors()]
    assert {place[1] for place in places if place[0] == field} == {0}
