"""A run's budget ends it before it is exceeded, whatever it is of."""

import time

from common.runs import Budget
from tests.system.conversation.talking import refused
from tests.system.models.answers import Answer, calls

LOST = Answer(text="I begin to say", cut="text")


def look(path="."):
    """Return an answer that looks at a directory."""
    return calls(("list_directory", {"path": path}))


def looking():
    """Return a program that never does the same twice, so that only a budget ends it."""
    return lambda asked: look("./" * (len(asked.results) + 1))


def charged(run):
    """Return the tokens that count against a run's budget."""
    return run.usage.input_tokens + run.usage.output_tokens + run.usage.lost_tokens


async def test_tokens_are_never_exceeded_and_an_answer_becomes_shorter_before_they_are(talk):
    """What was reserved for an answer that broke off counts: the provider may charge for it."""
    budget = Budget(tokens=26_000)
    talk.answer(look(), LOST)
    talk.script.then = looking()
    run = await talk.start("look", budget=budget)
    seen, most = [], []
    async for event in talk.client.events(talk.session.id, run.id):
        if event.type == "turn.decided":
            seen.append(charged(await talk.read(run)))
    run = await talk.read(run)
    most = [body["max_tokens"] for body in talk.bodies]
    assert (run.status, run.error.code) == ("failed", "budget_exceeded")
    assert len(seen) >= 3
    assert max(*seen, charged(run)) <= budget.tokens
    assert run.usage.lost_tokens >= most[1]
    assert most[0] == 8192
    assert most[-1] < most[-2] < most[0]
    assert run.usage.steps == len(run.steps) == len(seen)


async def test_a_budget_too_small_for_one_request_asks_nothing(talk):
    """The provider would have read it, and charged for it."""
    run = await talk.run("look", budget=Budget(tokens=500))
    assert (run.status, run.error.code) == ("failed", "budget_exceeded")
    assert (talk.bodies, charged(run)) == ([], 0)


async def test_a_turn_that_needs_more_steps_than_are_left_does_nothing(talk):
    """Half of what belongs together helps nobody."""
    write = [("write_file", {"path": f"{n}.txt", "content": "x"}) for n in range(3)]
    talk.answer(calls(write[0]), calls(*write[1:]))
    run = await talk.run("write", budget=Budget(steps=2))
    assert (run.status, run.error.code) == ("failed", "budget_exceeded")
    assert [step.status for step in run.steps] == ["succeeded"]
    assert "3 steps" in run.error.detail


async def test_a_stream_that_hangs_ends_with_the_runs_seconds(talk):
    """However long one request may take otherwise."""
    talk.answer(Answer(text="and then", hold="text"))
    begun = time.monotonic()
    run = await talk.run("wait", budget=Budget(seconds=0.5))
    assert 0.5 < time.monotonic() - begun < 1.5
    assert (run.status, run.error.code) == ("failed", "deadline_exceeded")
    assert talk.gone == 1
    assert run.usage.lost_tokens > 0


async def test_a_cost_that_nobody_can_keep_to_is_refused(talk):
    """A model without a price would spend without a bound."""
    refusal = await refused(talk.start("go", budget=Budget(cost=1)))
    assert refusal.code == "invalid_request"
    assert "price" in refusal.detail
    assert talk.bodies == []
