"""Providers that fail, refuse or break off, over real processes: asked again, or a clear error."""

import asyncio

import httpx

from tests.system.models.answers import (
    Answer,
    broken,
    calls,
    no_such_model,
    overloaded,
    wrong_key,
)
from tests.system.models.stack import ATTEMPTS, FIRST_TOKEN, KEY, SHAPES

SHORTEST_WAIT = 0.7
"""Seconds: what is waited before a second attempt at the least, also where nobody asks for it."""
GOOD = Answer(text="The whole answer.", input_tokens=100, output_tokens=7)


async def at_once(stack, scripts, **wishes):
    """Make runs side by side, one for each script; return them ended."""
    return await asyncio.gather(*(stack.ended("Do it", *script, **wishes) for script in scripts))


async def test_a_provider_that_is_busy_or_fails_is_asked_again_after_its_retry_after(stack):
    """People see nothing of it, and nobody pays for it; the wait is the one that it asks for."""
    faults = [overloaded("0"), broken(500), overloaded("0", 503), overloaded("2")]
    done = await at_once(stack, [(fault, GOOD) for fault in faults])
    assert [(it.run.status, it.run.result.answer) for it in done] == [
        ("succeeded", GOOD.text)
    ] * 4  # fmt: skip
    assert [len(it.asked) for it in done] == [2] * 4
    waits = [it.waits[0] for it in done]
    assert all(wait >= SHORTEST_WAIT for wait in waits[:3])
    assert waits[3] >= 2
    for it in done:
        assert (it.run.usage.input_tokens, it.run.usage.lost_tokens) == (100, 0)
        assert [turn.t for turn in it.turns] == [1]
        assert it.asked[0].body["messages"] == it.asked[1].body["messages"]


async def test_a_provider_that_goes_on_failing_ends_the_run_with_its_words(stack):
    """After the attempts that the deployment has chosen, with the error of the last one."""
    busy, failing, again = await at_once(
        stack,
        [[overloaded("0")] * ATTEMPTS, [broken()] * ATTEMPTS, [broken(), overloaded("0")]],
    )
    assert [len(it.asked) for it in (busy, failing, again)] == [ATTEMPTS] * 3
    errors = [it.run.error for it in (busy, failing, again)]
    assert [error.code for error in errors] == ["overloaded", "upstream_failed", "overloaded"]
    assert "Too many requests" in errors[0].detail
    assert "The server had an error" in errors[1].detail
    assert [it.run.status for it in (busy, failing, again)] == ["failed"] * 3
    assert errors[0].retryable is True


LASTING = {
    "a wrong key": (wrong_key(), "model_unauthenticated"),
    "a key without the right": (Answer(status=403, message="no"), "model_unauthenticated"),
    "no such model": (no_such_model(), "model_not_found"),
    "no such model, as a bad request": (no_such_model(400), "model_not_found"),
    "nothing paid": (
        Answer(status=402, message="pay", code="insufficient_quota", kind="billing_error"),
        "model_refused",
    ),
    "a bad request": (Answer(status=422, message="bad", kind="x"), "model_refused"),
    "a model that refuses": (Answer(text="I can't.", finish="content_filter"), "model_refused"),
}


async def test_what_another_attempt_would_not_change_is_a_clear_error_at_once(stack):
    """Each of its own code, none `internal`: who runs the deployment knows what to set right."""
    done = await at_once(stack, [(answer, GOOD) for answer, _ in LASTING.values()])
    for (answer, code), it in zip(LASTING.values(), done, strict=True):
        assert (it.run.status, it.run.error.code) == ("failed", code)
        assert (answer.message or answer.text) in it.run.error.detail
        assert it.run.error.source == "orchestrator"
        assert len(it.asked) == 1
        [failed] = it.heard("run.failed")
        assert failed.data["error"]["code"] == code


async def test_no_key_is_in_any_log_answer_or_event(stack):
    """The provider even says it back; what everybody may read has it nowhere."""
    wrong, retried = await at_once(
        stack, [[wrong_key()], [Answer(status=500, message="down", echoes_key=True)] * ATTEMPTS]
    )
    assert any(KEY in str(headers) for headers in stack.fake.seen.headers)
    assert "[key]" in wrong.run.error.detail
    assert "[key]" in retried.run.error.detail
    told = wrong.everything() + retried.everything()
    where = f"/v1/sessions/{wrong.run.session_id}"
    async with httpx.AsyncClient(base_url=stack.main.url, trust_env=False) as http:
        for path in (
            *("/v1/planners", "/v1/tools", "/health/ready", "/openapi.json"),
            *(where, f"{where}/runs", f"{where}/runs/{wrong.run.id}/turns"),
        ):
            answer = await http.get(path)
            told += answer.raise_for_status().text + str(answer.headers)
    assert "llm" in told
    assert KEY not in told
    logs = stack.logs()
    assert "model_is_asked_again" in logs
    assert KEY not in logs


async def test_a_stream_cut_in_mid_answer_is_asked_again_and_said_anew(stack):
    """The text begins again, as a new attempt; what was heard before is no part of the answer."""
    cut = Answer(text="Half of anything", cut="text")
    as_if_whole = cut.model_copy(update={"is_cut_cleanly": True})
    for done in await at_once(stack, [(cut, GOOD), (as_if_whole, GOOD)], hears_all=True):
        assert (done.run.status, done.run.result.answer) == ("succeeded", GOOD.text)
        assert len(done.asked) == 2
        assert done.deltas[0] == (1, 1, 0, "Half o")
        said_again = done.deltas[1:]
        assert [delta[:2] for delta in said_again] == [(1, 2)] * len(said_again)
        assert said_again[0][2] == 0
        assert "".join(text for *_, text in said_again) == GOOD.text
        usage = done.run.usage
        assert (usage.input_tokens, usage.output_tokens) == (100, 7)
        assert usage.lost_tokens > 0  # nobody knows what the lost answer took: it stays charged


async def test_nothing_is_done_of_an_answer_cut_within_its_arguments(stack):
    """Not the half call, nor a whole one before it: the answer counts that comes whole."""
    names = ("cut.txt", "other.txt")
    two = calls(
        *(("write_file", {"path": name, "content": "content\n"}) for name in names), text="I write."
    )
    cuts = [
        {"cut": "arguments"},
        {"cut": "arguments", "is_cut_cleanly": True},
        {"cut": "finish"},  # all calls have come; the end has not
        {"cut": "finish", "is_cut_cleanly": True},
    ]
    whole = calls(("write_file", {"path": "whole.txt", "content": "content\n"}), text="I write.")
    scripts = [(two.model_copy(update=cut), whole, Answer(text="ok")) for cut in cuts]
    for done in await at_once(stack, scripts, hears_all=True):
        assert done.run.status == "succeeded"
        assert [path.name for path in done.root.iterdir()] == ["whole.txt"]
        assert [step.arguments["path"] for step in done.run.steps] == ["whole.txt"]
        assert len(done.asked) == 3
        assert {(1, 1), (1, 2)} <= {(t, attempt) for t, attempt, _, _ in done.deltas}


async def test_a_stream_that_breaks_every_time_ends_the_run(stack):
    """As a fault of the provider, after as many attempts; its text is no answer."""
    halves = [Answer(text="Half of it", cut="text")] * ATTEMPTS
    done = await stack.ended("Say it", *halves, hears_all=True)
    assert (done.run.status, done.run.error.code) == ("failed", "upstream_failed")
    assert (done.run.result, done.run.text) == (None, None)
    assert {attempt for _, attempt, _, _ in done.deltas} == set(range(1, ATTEMPTS + 1))


async def test_a_first_token_that_does_not_come_is_asked_for_again_then_given_up(model_stacks):
    """A provider that hangs holds a run up for the deployment's deadline, not for ten minutes."""
    slow = Answer(text="late", hold="headers")
    late = Answer(text="late", hold="start")
    scripts = ([slow, GOOD], [late, GOOD], [slow, late])
    both = await asyncio.gather(*(at_once(model_stacks[shape], scripts) for shape in SHAPES))
    for once, once_later, ever in both:
        for done in (once, once_later):
            assert (done.run.status, done.run.result.answer) == ("succeeded", GOOD.text)
            assert done.until_asked_again >= FIRST_TOKEN + SHORTEST_WAIT
        assert (ever.run.status, ever.run.error.code) == ("failed", "deadline_exceeded")
        assert len(ever.asked) == ATTEMPTS
        assert ever.run.usage.lost_tokens > 0
