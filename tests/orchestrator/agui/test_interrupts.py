"""Interrupts: their ids say what is answered, and their schemas how."""

from datetime import UTC, datetime

import pytest

from common.approvals.reviews import ApprovalAnswer, Remember, TurnPlan
from common.errors import ClientError
from common.ids import new_id
from orchestrator.agui.interrupts import Verdict, Waiting, confirmation
from orchestrator.streaming.frames import Cursor


def test_an_id_says_all_that_an_answer_is_about():
    """Nothing is kept here between two requests: any replica can take the answer."""
    waiting = Waiting(new_id("ses"), new_id("run"), "approval", 3, Cursor(17, 1234))
    assert Waiting.parse(str(waiting)) == waiting
    assert all(part in str(waiting) for part in (waiting.run_id, ":3:"))


OF_RUN = f"ses_{'0' * 32}:run_{'0' * 32}"


@pytest.mark.parametrize(
    "odd",
    [
        "", "run_1", f"{OF_RUN}:other:1:1", f"{OF_RUN}:input:01:1.5", f"{OF_RUN}:input:1:01.5",
        f"{OF_RUN}:input:1:1.05",
    ],
)  # fmt: skip
def test_an_id_that_is_none_is_refused(odd):
    """It is a client's word; what it waits for is answered under one id."""
    with pytest.raises(ClientError) as refused:
        Waiting.parse(odd)
    assert refused.value.context.fields[0].field == "resume.0.interruptId"


def test_a_verdict_is_an_answer_as_others_give_it():
    """With all that such an answer may say."""
    no = Verdict(approved=False, steps=[2], reason="generated", remember=Remember(tool="t"))
    assert no.as_answer() == ApprovalAnswer(
        decision="reject", steps=[2], reason="generated", remember=Remember(tool="t")
    )
    assert Verdict(approved=True).as_answer() == ApprovalAnswer(decision="approve")


def test_a_confirmation_shows_what_asks_and_until_when():
    """A plain client has the message, another one the whole plan."""
    calls = [
        {"n": n, "name": name, "tool": "t", "effect": "write", "arguments": {}, "state": state}
        for n, name, state in ((1, "a", "free"), (2, "b", "asks"))
    ]
    until = datetime(2030, 1, 1, tzinfo=UTC)
    plan = TurnPlan(
        run_id=new_id("run"), session_id=new_id("ses"), t=1, plan_revision=4, is_waiting=True,
        answer_by=until, calls=calls,
    )  # fmt: skip
    interrupt = confirmation(plan, Cursor(9))
    assert (interrupt.message, interrupt.expires_at) == (
        "May this be done? t (step 2)",
        until.isoformat(),
    )
    assert interrupt.metadata == {"agentic": plan.model_dump(mode="json")}
    assert interrupt.response_schema["required"] == ["approved"]
    assert Waiting.parse(interrupt.id) == Waiting(
        plan.session_id, plan.run_id, "approval", 4, Cursor(9)
    )
