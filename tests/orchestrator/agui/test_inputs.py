"""What a client asks for: the last thing said, with options of ours, all of it checked."""

import pytest
from pydantic import ValidationError

from common.errors import ClientError
from orchestrator.agui.inputs import MAX_ID, RunInput, ignored_tools, wanted_run
from tests.orchestrator.agui.protocol import asked, planned

IMAGE = {"type": "image", "source": {"type": "url", "value": "http://x/y.png"}}


def user(content):
    """Return a message of a user."""
    return {"id": "1", "role": "user", "content": content}


def options(**given):
    """Return the body of a POST with options of ours."""
    return asked(forwardedProps={"agentic": given})


def test_the_goal_is_the_last_user_message():
    """Earlier ones were runs of their own; what follows it is an answer to it."""
    parts = [{"type": "text", "text": text} for text in ("list", "files")]
    said = [user("read a"), user(parts), {"id": "2", "role": "assistant", "content": "a.txt"}]
    assert wanted_run(RunInput.model_validate({**asked(), "messages": said})).goal == "list\nfiles"


def test_options_are_those_of_a_run():
    """A plan takes the place of the goal; what others forward is passed over."""
    run = wanted_run(RunInput.model_validate(planned(("t", {}), approval="writes")))
    assert (run.goal, run.approval) == (None, "writes")
    assert [step.tool for step in run.plan.steps] == ["t"]
    assert wanted_run(RunInput.model_validate(asked(forwardedProps={"other": 1}))).goal


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**asked(), "messages": [user([IMAGE])]}, "messages.0.content.0"),
        (asked(None), "messages"),
        (asked(""), "messages"),
        (asked("x" * 20_001), "messages"),
        (asked(forwardedProps={"agentic": 1}), "forwardedProps.agentic"),
        (options(goal="x"), "forwardedProps.agentic.goal"),
        (options(budjet={}), "forwardedProps.agentic.budjet"),
        (options(budget={"steps": "1"}), "forwardedProps.agentic.budget.steps"),
        (options(plan=None), "forwardedProps.agentic"),
    ],
)
def test_a_run_that_cannot_be_is_refused_by_the_name_of_its_field(body, field):
    """The name that the client knows it by."""
    with pytest.raises(ClientError) as refused:
        wanted_run(RunInput.model_validate(body))
    assert refused.value.code == "invalid_request"
    assert [wrong.field for wrong in refused.value.context.fields] == [field]


@pytest.mark.parametrize("field", ["threadId", "runId"])
def test_a_clients_ids_are_bounded(field):
    """Each event carries them."""
    assert RunInput.model_validate({**asked(), field: "x" * MAX_ID, "newer": 1})
    for odd in ("", "x" * (MAX_ID + 1), 1):
        with pytest.raises(ValidationError):
            RunInput.model_validate({**asked(), field: odd})


def test_tools_of_the_client_are_named():
    """A client that counts on them has to hear that nothing here calls them."""
    tools = [{"name": "confirm", "description": "d", "parameters": {}}]
    assert ignored_tools(RunInput.model_validate(asked(tools=tools))) == ["confirm"]
    assert ignored_tools(RunInput.model_validate(asked())) == []
