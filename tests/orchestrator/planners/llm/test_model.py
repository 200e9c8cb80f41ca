"""What the adapter makes of names, settings, prices and keys; without any server."""

import asyncio

import httpx2
import pytest
from pydantic import SecretStr
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from common.plans import Usage
from orchestrator.planners.llm.calls import calls_of
from orchestrator.planners.llm.config import USUAL_CONTEXT, ModelConfig, UnusableModel
from orchestrator.planners.llm.conversation import (
    Answered,
    ModelRequest,
    Said,
    ToolOutput,
    ToolOutputs,
    ToolRequest,
)
from orchestrator.planners.llm.model import ProviderModel, open_model
from orchestrator.planners.llm.providers.http import CONNECT, StreamingClient, is_loopback
from orchestrator.planners.llm.providers.messages import to_json, to_messages, to_response
from orchestrator.planners.llm.providers.secrets import HIDDEN, Scrubber
from orchestrator.planners.llm.sizes import size_of

CALL = {"part_kind": "tool-call", "tool_name": "t", "tool_call_id": "7", "args": '{"a": 1}'}
ANSWER = {"kind": "response", "parts": [{"part_kind": "text", "content": "Well."}, CALL]}


@pytest.fixture
def no_keys(monkeypatch):
    """An environment without keys."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def model_of(name, **more):
    """Return an opened model."""
    return open_model(name, ModelConfig(name, **more))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openai:gpt-5", "set ORCHESTRATOR_MODEL_API_KEY, or OPENAI_API_KEY"),
        ("deepseek:deepseek-chat", "set ORCHESTRATOR_MODEL_API_KEY, or DEEPSEEK_API_KEY"),
        ("ollama:qwen", "set ORCHESTRATOR_MODEL_BASE_URL, or OLLAMA_BASE_URL"),
        ("nobody:gpt-5", "Unknown provider: nobody"),
        ("bedrock:x", r"pydantic-ai-slim\[bedrock\]"),
    ],
)
def test_a_model_that_cannot_be_used_says_in_one_line_what_is_missing(no_keys, name, words):
    """It is what a service that does not start says."""
    with pytest.raises(UnusableModel, match=words) as raised:
        model_of(name)
    assert "\n" not in str(raised.value)


async def test_a_key_is_not_given_to_another_provider(no_keys):
    """The configured key is the default model's: another provider has one of its own, or none."""
    config = ModelConfig(
        "openai:gpt-5", others=("anthropic:claude-sonnet-4-5",), api_key=SecretStr("of-openai")
    )
    with pytest.raises(UnusableModel, match="ANTHROPIC_API_KEY"):
        open_model("anthropic:claude-sonnet-4-5", config)


async def test_what_is_known_of_a_model_is_its_context_and_its_price():
    """Cached tokens are part of those that were read, and cost less."""
    model = model_of("openai:gpt-4o-mini", api_key=SecretStr("unused"))
    whole = Usage(input_tokens=1_000_000, output_tokens=1000)
    cached = whole.model_copy(update={"cached_tokens": 1_000_000})
    assert (model.context, model.price_of(whole)) == (128_000, pytest.approx(0.1506))
    assert model.price_of(cached) < model.price_of(whole)
    await model.close()


async def test_of_a_server_of_ones_own_no_price_is_known_whatever_its_model_is_called():
    """A budget in dollars would count what nobody charges."""
    model = model_of("openai:gpt-4o-mini", base_url="http://127.0.0.1:9/v1")
    assert model.price_of(Usage(input_tokens=1000)) is None
    await model.close()


async def test_the_configured_context_counts_and_an_unknown_one_is_the_usual():
    """Local servers cut it to what their memory allows."""
    url = "http://127.0.0.1:9/v1"
    known, unknown = (model_of("openai:x", base_url=url, context=n) for n in (4096, None))
    assert (known.context, unknown.context) == (4096, USUAL_CONTEXT)
    await asyncio.gather(known.close(), unknown.close())


async def test_a_function_is_a_model_too():
    """Benchmarks and tests drive the planner without any provider."""

    async def answer(_messages, info):
        yield "Look: "
        yield {0: DeltaToolCall(name="t", json_args='{"a": 1}', tool_call_id="7")}

    said = []

    async def say(text):
        said.append(text)

    model = ProviderModel("function:f", FunctionModel(stream_function=answer), ModelConfig("x:y"))
    reply = await model.ask(ModelRequest("s", [Said("hello")], [], 100), say)
    assert (reply.text, said, reply.reason) == ("Look: ", ["Look: "], "stop")
    assert reply.calls == (ToolRequest("7", "t", '{"a": 1}'),)
    assert reply.usage.output_tokens > 0
    await model.close()


def test_a_stored_answer_is_read_and_written_without_change():
    """It goes back to the provider for as long as the run lasts."""
    stored = to_json(to_response(ANSWER))
    assert to_json(to_response(stored)) == stored


def test_what_stands_between_two_answers_is_one_message():
    """Outputs and what people say with them come as the user's next turn: some providers insist."""
    outputs = ToolOutputs([ToolOutput("7", "t", "ok")], ["And now?"])
    items = [Said("a"), Said("b"), Answered(ANSWER), outputs, Said("c")]
    messages = to_messages(ModelRequest("system", items, [], 100), flags_errors=True)
    assert [message.kind for message in messages] == ["request", "response", "request"]
    assert [part.content for part in messages[2].parts] == ["ok", "And now?", "c"]


def test_the_same_conversation_is_the_same_request():
    """A clock in it would spoil every cache."""
    request = ModelRequest("system", [Said("a"), Answered(ANSWER)], [], 100)
    once = to_messages(request, flags_errors=True)
    assert once[0] == to_messages(request, flags_errors=True)[0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"a": 1}', '{"a": 1}'), ({"a": 1}, '{"a": 1}'), ("{bad", "{bad"), ("", "{}"), (None, "{}")],
)
def test_the_arguments_of_a_stored_call_are_text(arguments, text):
    """Some providers keep objects, some write nothing where there are none."""
    assert calls_of({"parts": [{**CALL, "args": arguments}]}) == (ToolRequest("7", "t", text),)


@pytest.mark.parametrize("message", [None, "text", {}, {"parts": None}])
def test_what_is_no_answer_has_no_calls(message):
    """A stored message of another program is no reason to fail."""
    assert calls_of(message) == ()


@pytest.mark.parametrize(
    "text",
    [
        "wrong key my-very-own-key",
        "Authorization: Bearer abcdef",
        "Incorrect API key provided: sk-proj-abc***xyz.",
        "key=AIzaSyA1234567890123456789012345678901",
        "gsk_abcdefghijkl is invalid",
    ],
)
def test_keys_are_taken_out_of_what_a_provider_says(text):
    """The known one, and what looks like one."""
    cleaned = Scrubber(["my-very-own-key", None, ""]).clean(text)
    assert HIDDEN in cleaned
    assert not any(part in cleaned for part in ("own-key", "abc", "AIza", "abcdef"))


def test_ordinary_words_are_no_keys():
    """A placeholder is a short word: taking that out would garble every message."""
    text = "the disk-space of task-runner is full; no-key was given, ask your sk-8 team"
    assert Scrubber(["a", "key"]).clean(text) == text


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://localhost:1/v1", True),
        ("http://[::1]:1", True),
        ("https://api.openai.com/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://localhost.example.com", False),
    ],
)
def test_only_this_machine_is_reached_past_the_proxies(url, local):
    """Others may only be reachable through one."""
    assert is_loopback(url) is local


async def test_a_server_that_is_not_there_is_found_long_before_a_request_may_end():
    """A wrong address takes seconds, not the ten minutes that a slow model may need."""
    seen = []

    def answer(request):
        seen.append(request.extensions["timeout"])
        return httpx2.Response(200)

    async with StreamingClient(transport=httpx2.MockTransport(answer)) as client:
        await client.get("http://127.0.0.1:9", timeout=600)
    assert (seen[0]["connect"], seen[0]["read"]) == (CONNECT, 600)


def test_the_size_of_a_request_is_what_the_model_reads():
    """Not what is stored beside it: usage, times, ids."""
    outputs = ToolOutputs([ToolOutput("7", "t", "12345")], ["678"])
    request = ModelRequest("sys", [Said("hello"), Answered(ANSWER), outputs], [], 100)
    assert size_of(request) == 3 + 5 + len("Well.") + len("t") + len('{"a": 1}') + 5 + 3


async def test_half_a_character_of_a_model_is_joined_or_replaced_and_ends_no_run():
    """JSON escapes a character in two halves, and a stream may part them; UTF-8 and Redis know none."""

    async def speak(_messages, _info):
        yield "one \ud83d"
        yield "\ude00, and \ud83d"
        yield {0: DeltaToolCall("t", '{"a": "\ud83d"}', tool_call_id="7")}

    said = []

    async def say(text):
        said.append(text)

    model = ProviderModel("f", FunctionModel(stream_function=speak), ModelConfig("f"))
    reply = await model.ask(ModelRequest("s", [Said("hello")], (), 64), say)
    assert (reply.text, "".join(said)) == ("one \U0001f600, and �", "one \U0001f600, and ")
    assert [call.arguments for call in reply.calls] == ['{"a": "�"}']
    str(reply.message).encode()
