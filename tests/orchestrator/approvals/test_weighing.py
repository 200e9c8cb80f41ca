"""What becomes of each call that is left: a denial counts most, then what a person has said."""

import pytest

from common.errors import ToolError
from common.plans import TurnCall
from orchestrator.approvals.judging import Judgement
from orchestrator.approvals.weighing import is_first_with_calls, weigh
from orchestrator.store.records import Review, ReviewedCall
from tests.orchestrator.builders import step, turn


class Judging:
    """Judges all alike, and notes what it was given; what depends on others is judged later."""

    def __init__(self, answer="ask"):
        self._answer = answer
        self.asked = []

    def known(self, call):
        """Return the call as it is."""
        return call

    def of(self, call, arguments, *, is_first):
        """Judge a call."""
        self.asked.append((call.n, arguments, is_first))
        return Judgement("later" if arguments is None else self._answer, [])


def call(n, arguments=None, **more):
    """Return a call of a turn."""
    return TurnCall(n=n, name=f"s{n}", tool="t", arguments=arguments or {}, **more)


def turn_of(*calls):
    """Return a turn of these calls."""
    return turn().model_copy(update={"calls": list(calls)})


def states(weighed):
    """Return what becomes of each call."""
    return [one.state for one in weighed]


@pytest.mark.parametrize(
    ("answer", "said", "expected"),
    [
        ("make", "free", "free"),
        ("fail", "free", "free"),
        ("ask", "free", "asks"),
        ("ask", "approved", "approved"),
        ("make", "approved", "approved"),
        ("ask", "rejected", "rejected"),
        ("make", "rejected", "rejected"),
        ("make", "asks", "asks"),
        ("deny", "free", "denied"),
        ("deny", "approved", "denied"),
        ("make", "denied", "free"),
        ("ask", "deferred", "asks"),
    ],
)
def test_denial_counts_most_and_then_what_a_person_said(answer, said, expected):
    """Rules may have changed since: a person's word stays, and a denial is newer than it."""
    review = Review(t=1, calls=[ReviewedCall(n=1, state=said)])
    weighed = weigh(turn_of(call(1)), Judging(answer), [], review, is_first=True)
    assert states(weighed) == [expected]


def test_calls_with_an_outcome_are_not_weighed_again():
    """What is done is done."""
    judge = Judging()
    weighed = weigh(turn_of(call(1), call(2)), judge, [step(1)], None, is_first=False)
    assert [one.call.n for one in weighed] == [2]
    assert judge.asked == [(2, {}, False)]


def test_references_are_resolved_before_a_call_is_judged():
    """To what was made by then; to what is left of the turn they cannot be."""
    refers = {"path": {"$from": "s1/output/path"}}
    later, now = call(3, {"x": {"$from": "s2/output"}}, has_references=True), call(
        2, refers, has_references=True
    )
    made, judge = [step(1, output={"path": "docs/a"}, status="succeeded")], Judging()
    weighed = weigh(turn_of(call(1), now, later), judge, made, None, is_first=True)
    assert [(n, arguments) for n, arguments, _ in judge.asked] == [
        (2, {"path": "docs/a"}),
        (3, None),
    ]
    assert states(weighed) == ["asks", "deferred"]


def test_call_that_cannot_be_made_is_not_judged():
    """It fails with what is wrong about it, and asks nobody."""
    wrong = call(1, error=ToolError("tool_not_found", "none").problem("orchestrator", None))
    nowhere = call(2, {"x": {"$from": "nobody/output"}}, has_references=True)
    judge = Judging()
    weighed = weigh(turn_of(wrong, nowhere), judge, [], None, is_first=True)
    assert (states(weighed), judge.asked) == (["free", "free"], [])


def test_edited_arguments_are_what_is_judged():
    """The turn keeps its own."""
    judge = Judging()
    edited = Review(t=1, calls=[ReviewedCall(n=1, state="asks", arguments={"path": "b"})])
    [weighed] = weigh(turn_of(call(1, {"path": "a"})), judge, [], edited, is_first=True)
    assert judge.asked == [(1, {"path": "b"}, True)]
    assert (weighed.arguments, weighed.call.arguments) == ({"path": "b"}, {"path": "a"})


def test_first_turn_is_the_first_one_with_calls():
    """A model may have thought aloud before."""
    thinking, calling, further = turn(t=1), turn(step(1), t=2), turn(step(2), t=3)
    turns = [thinking, calling, further]
    assert [is_first_with_calls(one, turns) for one in (calling, further)] == [True, False]
