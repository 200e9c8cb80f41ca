"""A run that is cancelled while its model speaks; the next one goes on from it."""

import time

import pytest

from tests.orchestrator.fakes import until
from tests.system.conversation.talking import first, open_calls
from tests.system.models.answers import Answer, calls

WRITE = calls(("write_file", {"path": "a.txt", "content": "half"}), text="I write it.")
HELD = {
    "in its text": Answer(text="and then I", hold="text"),
    "in its calls": calls(("write_file", {"path": "b.txt", "content": "x"}), hold="arguments"),
    "before its first token": Answer(text="late", hold="headers"),
}


@pytest.mark.parametrize("moment", HELD)
async def test_a_cancel_in_mid_answer_ends_the_run_and_the_next_one_goes_on_from_it(talk, moment):
    """The provider is left at once; what was changed stands, and is told; nothing is half told."""
    talk.answer(WRITE, HELD[moment])
    run = await talk.start("write a.txt and b.txt")
    await talk.held()
    await talk.client.cancel_run(talk.session.id, run.id)
    asked = time.monotonic()
    run = await talk.ended(run)
    assert time.monotonic() - asked < 1
    assert (run.status, [step.status for step in run.steps]) == ("cancelled", ["succeeded"])
    await until(lambda: talk.gone == 1)
    talk.answer(Answer(text="Now it is whole."))
    after = await talk.run("go on")
    assert after.status == "succeeded"
    body = talk.bodies[-1]
    for told in ("write a.txt and b.txt", "It was cancelled.", "a.txt (created)", "go on"):
        assert told in first(body)
    assert (len(body["messages"]), open_calls(body)) == (2, set())
    assert "b.txt (" not in first(body)


async def test_what_a_cancelled_model_had_said_is_charged_as_lost(talk):
    """Nobody knows how much the provider had written."""
    talk.answer(HELD["in its text"])
    run = await talk.start("say")
    await talk.held()
    await talk.client.cancel_run(talk.session.id, run.id)
    run = await talk.ended(run)
    assert run.usage.lost_tokens >= talk.bodies[0]["max_tokens"]
    assert run.usage.input_tokens == 0
