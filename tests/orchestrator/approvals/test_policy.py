"""What a run asks for, by its policy and its access, where rules leave it to that."""

import pytest

from common.approvals.rules import Rule
from common.files.paths import parse
from orchestrator.approvals.paths import EVERYTHING, Touched
from orchestrator.approvals.policy import answer, nothing_asks
from orchestrator.approvals.verdicts import Verdict

CALLS = [("read", True), ("write", True), ("read", False), ("destructive", False)]
"""The effect of a call, and whether it is of its run's first turn."""


def answers(policy, access="read_write", verdict=None, path="src/a"):
    """Return the answers to these calls, a letter each."""
    said = None if verdict is None else Verdict(verdict, Rule(effect=verdict))
    touched = [Touched(parse(path))]
    given = [answer(policy, access, said, it, touched, is_first=first) for it, first in CALLS]
    return "".join(one[0] for one in given)


@pytest.mark.parametrize(
    ("policy", "given"),
    [("never", "mmmm"), ("plan", "aamm"), ("writes", "mama"), ("always", "aaaa")],
)
def test_policy_asks_for_what_it_says(policy, given):
    """`plan` asks for the first turn as a whole; `writes` for each change."""
    assert answers(policy) == given


@pytest.mark.parametrize("policy", ["never", "plan", "writes", "always"])
@pytest.mark.parametrize(
    ("verdict", "given"), [("allow", "mmmm"), ("ask", "aaaa"), ("deny", "dddd")]
)
def test_rule_has_the_word_before_the_policy(policy, verdict, given):
    """Whichever it is: a person has said it of this very place."""
    assert answers(policy, verdict=verdict) == given


@pytest.mark.parametrize(
    ("policy", "verdict", "given"),
    [
        ("never", None, "mmmm"),
        ("plan", None, "ammm"),
        ("writes", None, "mmmm"),
        ("always", None, "amam"),
        ("never", "ask", "amam"),
        ("always", "allow", "mmmm"),
        ("never", "deny", "dddd"),
    ],
)
def test_nobody_is_asked_for_a_change_that_cannot_be_made(policy, verdict, given):
    """The execution environment refuses it; what a rule says of reading holds as ever."""
    assert answers(policy, "read_only", verdict) == given


@pytest.mark.parametrize("verdict", [None, "allow"])
def test_who_asks_at_all_asks_before_the_instructions_are_changed(verdict):
    """A change of AGENTS.md is a change of what all later runs do: no permission was meant for it."""
    assert answers("plan", verdict=verdict, path="AGENTS.md")[3] == "a"
    assert answers("writes", verdict=verdict, path="AGENTS.md")[3] == "a"
    assert answers("never", verdict=verdict, path="AGENTS.md") == "mmmm"
    assert answer("plan", "read_write", None, "write", [EVERYTHING], is_first=False) == "ask"
    assert answers("plan", verdict=verdict, path="docs/AGENTS.md")[3] == "m"
    assert answers("writes", "read_only", verdict, "AGENTS.md") == "mmmm"


@pytest.mark.parametrize("access", ["read_write", "read_only"])
@pytest.mark.parametrize("policy", ["never", "plan", "writes", "always"])
def test_nothing_asks_where_no_call_at_all_would_be_asked_for(policy, access):
    """Then a turn need not be judged call by call."""
    assert nothing_asks(policy, access) == (answers(policy, access, path="AGENTS.md") == "mmmm")
