"""The adapter of the models against providers over real HTTP, in the shapes of OpenAI and Anthropic."""

import asyncio
import logging
import subprocess
import sys
from datetime import timedelta

import pytest

from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import (
    Answered,
    ModelFault,
    Said,
    TooLong,
    ToolOutput,
    ToolOutputs,
)
from orchestrator.planners.llm.model import open_model
from tests.orchestrator.fakes import until
from tests.system.models.answers import (
    Answer,
    Rule,
    broken,
    calls,
    no_such_model,
    overloaded,
    too_long,
    too_long_for_llama,
    wrong_key,
)
from tests.system.models.asking import KEY, TOOL, asked, config_of, request
from tests.system.models.fake import in_a_process, running

TWO = calls(("read_file", {"path": "a.txt"}), ("read_file", {"path": "b.txt"}), text="I read both.")
CUTS = [("headers", False)] + [
    (place, cleanly)
    for place in ("start", "text", "arguments", "finish")
    for cleanly in (False, True)
]


@pytest.fixture(params=["openai", "anthropic"])
def shape(request):  # the name that pytest knows it by
    """Both wire formats in turn."""
    return request.param


@pytest.fixture
def fake():
    """A provider without a script."""
    with running() as server:
        yield server


async def fault_of(fake, shape, answer, **more):
    """Return what a model raises that is answered so, and what it had said."""
    fake.add(answer)
    async with asked(fake, shape, **more) as model:
        with pytest.raises(ModelFault) as raised:
            await model.ask()
        return raised.value, model.said


async def test_an_answer_comes_back_with_its_text_its_calls_and_what_it_took(fake, shape):
    """Parallel calls, arguments in pieces: put together as the model has written them."""
    fake.add(TWO.model_copy(update={"input_tokens": 90, "cached_tokens": 40, "output_tokens": 7}))
    async with asked(fake, shape) as model:
        reply = await model.ask()
    assert (reply.text, reply.reason, reply.model) == ("I read both.", "stop", f"{shape}:fake")
    assert [call.arguments for call in reply.calls] == ['{"path": "a.txt"}', '{"path": "b.txt"}']
    assert len({call.id for call in reply.calls}) == 2
    usage = reply.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (90, 40, 7)


async def test_the_text_is_said_while_it_comes_and_the_thinking_is_not(fake, shape):
    """A person follows the answer; what leads to it is nobody's to read."""
    fake.add(Answer(text="one two three", thinking="let me see", hold="text"))
    async with asked(fake, shape) as model:
        answer = asyncio.create_task(model.ask())
        await until(lambda: model.said == ["one t"])
        fake.release()
        assert (await answer).text == "one two three"
    assert "".join(model.said) == "one two three"


async def test_an_answer_goes_back_as_it_came_with_its_outputs_under_its_ids(fake, shape):
    """Providers refuse a conversation in which an id or a signature is another."""
    fake.add(TWO.model_copy(update={"thinking": "both, then"}), Answer(text="done"))
    async with asked(fake, shape) as model:
        first = await model.ask()
        ids = [call.id for call in first.calls]
        outputs = ToolOutputs(
            [
                ToolOutput(ids[0], "read_file", "what it holds"),
                ToolOutput(ids[1], "read_file", "no such file", is_error=True),
            ],
            ["Be quick."],
        )
        await model.ask(Said("hello"), Answered(first.message), outputs)
    sent = str(fake.seen.bodies[-1])
    assert all(sent.count(call_id) == 2 for call_id in ids)
    for text in ("both, then", "I read both.", "what it holds", "no such file", "Be quick."):
        assert sent.count(text) == 1
    assert shape == "openai" or "sig-1" in sent
    assert sent.index("no such file") < sent.index("Be quick.")


async def test_the_tools_are_sent_as_they_are_and_the_beginning_stays_the_same(fake, shape):
    """A provider's cache only helps the same beginning; a rewritten schema is another tool."""
    fake.add(TWO, Answer(text="done"))
    async with asked(fake, shape) as model:
        first = await model.ask()
        output = ToolOutputs([ToolOutput(call.id, call.tool, "x") for call in first.calls])
        await model.ask(Said("hello"), Answered(first.message), output)
    one, two = fake.seen.bodies
    assert one["tools"] == two["tools"]
    tool = one["tools"][0]
    schema = tool["function"]["parameters"] if shape == "openai" else tool["input_schema"]
    assert schema == TOOL.schema
    assert one["messages"] == two["messages"][: len(one["messages"])]


async def test_malformed_arguments_come_back_as_the_model_wrote_them(fake, shape):
    """The planner tells the model what is wrong; nobody guesses what it meant."""
    fake.add(calls(("read_file", '{"path": ')))
    async with asked(fake, shape) as model:
        reply = await model.ask()
    assert [call.arguments for call in reply.calls] == ['{"path": ']


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "length"), ("content_filter", "refused")]
)
async def test_why_an_answer_ended_early_is_told(fake, shape, finish, reason):
    """A cut answer is no answer, and a refusal no success."""
    fake.add(Answer(text="I", finish=finish))
    async with asked(fake, shape) as model:
        assert (await model.ask()).reason == reason


@pytest.mark.parametrize(("place", "cleanly"), CUTS)
async def test_an_answer_that_breaks_off_is_a_fault_wherever_it_does(fake, shape, place, cleanly):
    """Half a call would be made, or half a sentence be the run's answer."""
    answer = TWO.model_copy(update={"cut": place, "is_cut_cleanly": cleanly})
    fault, _ = await fault_of(fake, shape, answer)
    assert (fault.code, fault.retryable, fault.has_cost) == ("upstream_failed", True, True)
    assert fake.seen.requests == 1


FAULTS = {
    "busy": (overloaded("7"), "overloaded", True, False),
    "overloaded": (overloaded("7", 529), "overloaded", True, False),
    "broken": (broken(), "upstream_failed", True, False),
    "unavailable": (broken(503), "upstream_failed", True, False),
    "wrong key": (wrong_key(), "model_unauthenticated", False, False),
    "forbidden": (Answer(status=403, message="no"), "model_unauthenticated", False, False),
    "no model": (no_such_model(), "model_not_found", False, False),
    "no model, as a bad request": (no_such_model(400), "model_not_found", False, False),
    "not paid": (
        Answer(status=402, message="pay", code="insufficient_quota", kind="billing_error"),
        "model_refused",
        False,
        False,
    ),
    "rejected": (
        Answer(status=422, message="bad", kind="invalid_request_error"),
        "model_refused",
        False,
        False,
    ),
    "within the stream": (Answer(text="hello", breaks_with="no more"), None, True, True),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_a_providers_error_is_one_of_our_own_with_its_words(fake, shape, case):
    """Whether to ask again, whether it may have cost something, what to tell people."""
    answer, code, retryable, has_cost = FAULTS[case]
    fault, _ = await fault_of(fake, shape, answer)
    assert (fault.retryable, fault.has_cost) == (retryable, has_cost)
    assert code is None or fault.code == code
    assert (answer.breaks_with or answer.message) in fault.detail
    assert fake.seen.requests == 1  # retries are made by who counts them


async def test_a_providers_retry_after_is_handed_on(fake, shape):
    """Whoever asks again waits as long as the provider says."""
    fault, _ = await fault_of(fake, shape, overloaded("7"))
    assert fault.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("answer", [too_long(), too_long_for_llama()], ids=["usual", "llama.cpp"])
async def test_what_is_longer_than_the_model_can_read_is_told_apart(fake, shape, answer):
    """The planner shortens the conversation instead of giving up."""
    fake.add(answer)
    async with asked(fake, shape) as model:
        with pytest.raises(TooLong):
            await model.ask()


@pytest.mark.parametrize("place", ["headers", "start"])
async def test_a_first_token_that_does_not_come_ends_the_request(fake, shape, place):
    """A provider that hangs is asked again, long before the whole request's deadline."""
    answer = Answer(text="late", hold=place)
    fault, said = await fault_of(fake, shape, answer, first_token=timedelta(seconds=0.3))
    assert (fault.code, fault.retryable, said) == ("deadline_exceeded", True, [])


async def test_a_stream_that_hangs_ends_with_the_requests_deadline(fake, shape):
    """However lively it was at first."""
    answer = Answer(text="and then", hold="text")
    fault, said = await fault_of(fake, shape, answer, timeout=timedelta(seconds=0.6))
    assert (fault.code, fault.has_cost, said) == ("deadline_exceeded", True, ["and"])


async def test_a_cancel_closes_the_connection_in_mid_stream(fake, shape):
    """The provider stops writing, and charging, when nobody reads."""
    fake.add(Answer(text="and then", hold="text"))
    async with asked(fake, shape) as model:
        answer = asyncio.create_task(model.ask())
        await until(lambda: fake.seen.holding == 1)
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        await until(lambda: fake.seen.gone == 1)


async def test_no_key_is_in_a_fault_or_a_log_line(fake, shape, caplog):
    """A provider may say the key back; errors and logs are read by others."""
    caplog.set_level(logging.DEBUG)
    fault, _ = await fault_of(fake, shape, wrong_key())
    assert any(KEY in str(headers) for headers in fake.seen.headers)
    assert "Incorrect API key" in fault.detail
    assert KEY not in f"{fault.detail} {fault.__cause__!r}"
    assert fault.__suppress_context__  # the original, which has the key, is in no traceback
    assert KEY not in caplog.text


async def test_an_answer_without_usage_is_estimated(fake):
    """Some servers never say: a budget would not be counted at all."""
    fake.add(Answer(text="four" * 10, has_usage=False))
    async with asked(fake, "openai") as model:
        usage = (await model.ask()).usage
    assert usage.output_tokens == 11
    assert 10 < usage.input_tokens < 200


async def test_a_server_that_knows_no_streams_is_understood(fake):
    """It answers with one document whatever is asked for; its answer has been worked for."""
    fake.add(TWO.model_copy(update={"is_json": True}))
    async with asked(fake, "openai") as model:
        reply = await model.ask()
    assert (reply.text, len(reply.calls), model.said) == ("I read both.", 2, ["I read both."])


async def test_a_server_on_this_machine_is_reached_past_every_proxy(fake, shape, monkeypatch):
    """A proxy outside cannot reach it, and would be told the key."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    fake.add(Answer(text="here"))
    async with asked(fake, shape) as model:
        assert (await model.ask()).text == "here"


async def test_a_server_that_is_not_there_is_a_fault_without_costs(shape):
    """Nothing was sent; the detail says what was wrong beyond `Connection error`."""
    with running() as fake:
        config = config_of(fake, shape)
    model = open_model(config.model, config)
    with pytest.raises(ModelFault) as raised:
        await model.ask(request(), _say)
    await model.close()
    fault = raised.value
    assert (fault.code, fault.retryable, fault.has_cost) == ("upstream_failed", True, False)
    assert "connect" in fault.detail.lower()


async def test_a_key_is_only_sent_to_the_provider_that_it_is_for(fake, monkeypatch):
    """A server at an address of one's own is not OpenAI: it does not get OpenAI's key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-itself")
    fake.add(Answer(text="hi"))
    config = ModelConfig("openai:fake", base_url=fake.openai_url)
    model = open_model(config.model, config)
    await model.ask(request(), _say)
    await model.close()
    assert "sk-of-openai-itself" not in str(fake.seen.headers)


async def _say(_text):
    return None


COLD_AND_WARM = """
import asyncio, sys
from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import ModelRequest, Said
from orchestrator.planners.llm.loading import LazyModel

async def say(text): pass

async def main(name, url):
    model = LazyModel(name, ModelConfig(name, base_url=url))
    await model.open()
    before = set(sys.modules)
    await model.ask(ModelRequest("s", [Said("hello")], [], 100), say)
    await model.close()
    print(*(set(sys.modules) - before))

asyncio.run(main(*sys.argv[1:]))
"""


def test_the_first_request_after_the_warm_up_imports_nothing(fake, shape):
    """Imports hold the event loop: every run of the worker would wait for them."""
    fake.add(Answer(text="hi"))
    config = config_of(fake, shape)
    command = [sys.executable, "-W", "error", "-c", COLD_AND_WARM, config.model, config.base_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


async def test_a_fake_in_a_process_of_its_own_is_told_and_asked_over_http():
    """Tests of many runs on several replicas have it beside them, and count what was asked."""
    write = calls(("read_file", {"path": "<file>"}))
    rules = [
        Rule(when=r"read (?P<file>\S+)", results=0, answer=write),
        Rule(when="read", answer=Answer(text="read")),
    ]
    with in_a_process() as fake:
        fake.follow(rules)
        async with asked(fake, "openai") as model:
            first = await model.ask(Said("read a.txt"))
            [call] = first.calls
            assert call.arguments == '{"path": "a.txt"}'
            outputs = ToolOutputs([ToolOutput(call.id, call.tool, "x")])
            again = await model.ask(Said("read a.txt"), Answered(first.message), outputs)
        assert again.text == "read"
        assert fake.counts()["asked"] == [["read a.txt", 0, 1], ["read a.txt", 1, 1]]
        assert len(fake.requests()) == 2
        fake.forget()
        assert fake.counts()["requests"] == 0
