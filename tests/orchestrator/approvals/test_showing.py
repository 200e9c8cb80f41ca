"""What people are shown of a turn."""

from datetime import UTC, datetime

import pytest

from common.approvals.reviews import Preview
from common.errors import ToolError
from orchestrator.approvals.showing import turn_plan
from orchestrator.store.records import Review, ReviewedCall
from tests.orchestrator.approvals.turns import SESSION, call, waits
from tests.orchestrator.builders import document, step
from tests.orchestrator.workspace import TOOLS, delete, plan


def failed(code):
    """Return the error of a step."""
    return ToolError(code, "no").problem("orchestrator", None)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ({"status": "succeeded"}, "made"),
        ({"status": "failed", "error": failed("path_not_found")}, "made"),
        ({"status": "failed", "error": failed("rejected")}, "rejected"),
        ({"status": "failed", "error": failed("denied_by_rule")}, "denied"),
        ({"status": "pending"}, "approved"),
        ({"status": "running"}, "approved"),
    ],
    ids=["made", "failed", "rejected", "denied", "asked again", "under way"],
)
def test_call_with_an_outcome_is_shown_as_what_became_of_it(outcome, state):
    """One that was refused was not made, and one whose outcome nobody knows is no further either."""
    waiting = waits([call(1)], ["approved"], steps=[step(1, arguments={"path": "b"}, **outcome)])
    [shown] = turn_plan(waiting, {}).calls
    assert shown.state == state
    assert shown.arguments["path"] == ("a" if state == "approved" else "b")


def test_edited_call_is_shown_with_its_new_arguments():
    """They are what is approved; what the planner had asked for is in the turn."""
    preview = Preview(diff="+y")
    entry = ReviewedCall(n=1, state="asks", arguments={"path": "b"}, preview=preview)
    waiting = waits([call(1)], ["asks"], review=Review(t=1, calls=[entry]))
    [shown] = turn_plan(waiting, {}).calls
    assert (shown.is_edited, shown.arguments, shown.preview) == (True, {"path": "b"}, preview)


def test_calls_of_a_turn_that_never_asked_are_free():
    """Its run has asked nobody, and shows what it does all the same."""
    shown = turn_plan(waits([call(1)], ["asks"], review=None, status="running", revision=0), {})
    assert ([one.state for one in shown.calls], shown.is_waiting) == (["free"], False)


def test_deadline_is_shown_only_while_an_answer_is_waited_for():
    """A run that was cancelled fails for want of nothing."""
    until = datetime(2026, 1, 1, tzinfo=UTC)
    shown = [
        turn_plan(waits([call(1)], ["asks"], answer_by=until, status=status), {}).answer_by
        for status in ("awaiting_approval", "cancelled")
    ]
    assert shown == [until, None]


@pytest.mark.parametrize(("tools", "effect"), [(TOOLS, "destructive"), ({}, "write")])
def test_plan_that_has_not_begun_is_shown_as_its_calls(tools, effect):
    """While nobody can tell the tools, a call is taken to change something."""
    run = document(SESSION.id, planner="plan", plan=plan(delete("a")))
    shown = turn_plan(waits([], [], turn=None, document=run, status="queued", revision=0), tools)
    assert (shown.t, [(one.n, one.effect) for one in shown.calls]) == (0, [(1, effect)])


def test_run_without_a_turn_or_a_plan_shows_no_calls():
    """Its planner has not decided anything."""
    assert turn_plan(waits([], [], turn=None, status="queued", revision=0), {}).calls == []
