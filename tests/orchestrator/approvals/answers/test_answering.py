"""Answers, without a store: what they make of a review."""

import pytest

from common.approvals.reviews import ApprovalAnswer
from common.approvals.rules import Rule
from orchestrator.approvals.answers.answering import Answering
from tests.orchestrator.approvals.turns import SESSION, Reviews, call, waits
from tests.orchestrator.builders import code_of


async def answered(reviews, expected=1, **body):
    """Answer; return what the store is told."""
    asked = ApprovalAnswer(**{"decision": "approve", **body})
    run_id = reviews.waiting.document.id
    await Answering(reviews).answer(SESSION, run_id, expected, asked)
    return reviews.said[-1]


def states(said):
    """Return what becomes of each call."""
    return [one.state for one in said.review.calls]


CALLS = [call(1, "read_file"), call(2, path="a"), call(3, path="b")]


async def test_answer_to_the_turn_is_about_all_that_asks():
    """What is free, or was answered before, stays."""
    reviews = Reviews(waits(CALLS, ["free", "rejected", "asks"]))
    said = await answered(reviews)
    assert states(said) == ["free", "rejected", "approved"]
    assert said.data["steps"] == [3]


async def test_reason_of_a_rejection_is_kept_for_the_planner():
    """A model that is told why does something else."""
    said = await answered(Reviews(waits(CALLS, ["free", "asks", "asks"])), decision="reject", steps=[2], reason="No")  # fmt: skip
    assert [one.reason for one in said.review.calls] == [None, "No", None]


async def test_answer_under_a_revision_that_is_still_to_come_is_never_stored():
    """A plan that comes meanwhile would have its number, and nobody has seen it."""
    reviews = Reviews(waits(CALLS, ["free", "asks", "asks"]))
    assert await code_of(answered(reviews, expected=2)) == "precondition_failed"
    never_asked = Reviews(waits(CALLS, ["free"] * 3, revision=0, status="running"))
    assert await code_of(answered(never_asked, expected=1)) == "invalid_state"
    assert reviews.said == never_asked.said == []


@pytest.mark.parametrize(
    ("revision", "status"), [(2, "awaiting_approval"), (1, "queued"), (1, "cancelled")]
)
async def test_answer_that_comes_too_late_leaves_the_word_to_the_store(revision, status):
    """Only the store can tell whether it is one that was heard before: there is nothing to store."""
    waiting = waits(CALLS, ["free", "asks", "asks"], revision=revision, status=status)
    said = await answered(Reviews(waiting), steps=[99])
    assert (said.expected, said.review.calls, said.remember) == (1, [], None)


@pytest.mark.parametrize(
    ("decision", "state", "effect"),
    [("approve", "approved", "allow"), ("reject", "rejected", "deny")],
)
@pytest.mark.parametrize("remember", [{"tool": "write_file"}, {"path": "[ab]"}, {}])
async def test_answer_that_is_remembered_answers_no_call_that_it_does_not_name(
    decision, state, effect, remember
):
    """Nobody was asked about those like it by then: they may not even have been shown."""
    reviews = Reviews(waits(CALLS, ["free", "asks", "asks"]))
    said = await answered(reviews, decision=decision, steps=[2], remember=remember)
    assert states(said) == ["free", state, "asks"]
    assert said.remember == Rule(effect=effect, **remember)


async def test_answer_to_all_changes_none_that_was_given():
    """Somebody has said no to this very call."""
    reviews = Reviews(waits(CALLS, ["free", "asks", "rejected"]))
    said = await answered(reviews, remember={"tool": "write_file"})
    assert states(said) == ["free", "approved", "rejected"]
