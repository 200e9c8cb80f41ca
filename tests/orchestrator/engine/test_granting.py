"""How a call may be made: what was approved is what it has to do, what was refused is not made."""

import pytest

from common.approvals.reviews import Preview
from common.approvals.rules import Rule
from common.errors import ToolError
from common.ids import new_id
from common.plans import TurnCall
from orchestrator.approvals.judging import Judgement
from orchestrator.approvals.weighing import Weighed
from orchestrator.engine.granting import granted
from orchestrator.store.records import ReviewedCall
from tests.orchestrator.builders import document, receipt

SHOWN = [receipt("x", "hash")]
FAILED = Preview(error=ToolError("text_not_found", "no").problem("execution_environment", None))


def grant_of(state, preview=None, *, effect="write", access="read_write", **entry):
    """Return the grant of a call that neither asks nor waits."""
    call = TurnCall(n=1, name="s1", tool="write_file", arguments={"path": "x"}, effect=effect)
    reviewed = ReviewedCall(n=1, state=state, preview=preview, **entry)
    judgement = Judgement("ask", [], Rule(path="x", effect="deny"))
    run = document(new_id("ses"), access=access)
    return granted(Weighed(call, call.arguments, judgement, reviewed), run)


@pytest.mark.parametrize(
    ("state", "preview", "expected"),
    [
        ("approved", Preview(receipts=SHOWN), SHOWN),
        ("approved", Preview(), []),  # it changed nothing
        ("approved", FAILED, []),
        ("approved", None, []),  # nobody was shown what it does
        ("approved", Preview(depends_on_step=1), None),  # pinned when it is reached
        ("free", None, None),  # nobody has to be asked
        ("free", Preview(receipts=SHOWN), None),
        ("free", FAILED, []),  # nobody was asked, for it could not be made
    ],
)
def test_change_is_granted_what_was_shown_of_it(state, preview, expected):
    """And nothing at all where a person has, or would have, approved what nobody knows."""
    assert grant_of(state, preview).expected == expected
    assert grant_of(state, preview, effect="read").expected is None


def test_call_that_comes_after_another_is_granted_with_what_was_seen():
    """It is known only once that one is made what it may find."""
    after = Preview(depends_on_step=7)
    grant = grant_of("approved", after, seen={"x": "abc"}, k=3, arguments={"path": "y"})
    assert (grant.depends_on, grant.seen, grant.k) == (7, {"x": "abc"}, 3)
    assert grant.arguments == {"path": "y"}
    assert grant_of("free", after).depends_on is None


def test_what_was_rejected_or_denied_is_refused():
    """With the words of whoever has said so."""
    rejected, silent, denied = (
        grant_of("rejected", Preview(receipts=SHOWN), reason="not there").refusal,
        grant_of("rejected").refusal,
        grant_of("denied", Preview(receipts=SHOWN)).refusal,
    )
    assert (rejected.code, denied.code) == ("rejected", "denied_by_rule")
    assert "not there" in rejected.detail
    assert "did not say why" in silent.detail
    assert denied.context["path"] == "x"
    assert grant_of("approved").refusal is None


@pytest.mark.parametrize("access", ["read_only", "read_write"])
@pytest.mark.parametrize("state", ["free", "approved"])
def test_call_may_do_no_more_than_its_run_and_a_read_may_only_read(access, state):
    """Whatever was approved."""
    assert grant_of(state, access=access).access == access
    assert grant_of(state, access=access, effect="read").access == "read_only"
