"""A provider that sends what nobody expects: a fault like any other, soon, and within bounds."""

import asyncio
import json
import warnings
import zlib
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from orchestrator.planners.llm.conversation import ModelFault
from orchestrator.planners.llm.providers.http import MAX_ERROR
from tests.system.models.asking import KEY, asked

EVENTS = {"Content-Type": "text/event-stream"}
DOCUMENT = {"Content-Type": "application/json"}


def chunk(delta, finish=None, **more):
    """Return one event of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "1", "created": 1, "model": "fake", "choices": [choice], **more}


def stream(*events):
    """Return the bytes of a stream."""
    lines = [e if isinstance(e, str) else json.dumps(e) for e in (*events, "[DONE]")]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


@asynccontextmanager
async def answering(body, headers=EVENTS, status=200, times=1, shape="openai"):
    """Yield a model whose provider sends these bytes, so many times, and closes."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        lines = [f"HTTP/1.1 {status} -", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode())
        try:
            for _ in range(times):
                writer.write(body)
                await writer.drain()
        except ConnectionError:
            pass  # it has heard enough
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        place = SimpleNamespace(openai_url=f"{url}/v1", anthropic_url=url)
        async with asked(place, shape) as model:
            yield model


async def fault_of(body, **more):
    """Return what a model raises that is answered so."""
    async with answering(body, **more) as model:
        with pytest.raises(ModelFault) as raised:
            await model.ask()
        return raised.value


@pytest.mark.parametrize(
    "body",
    [
        stream([1]),
        stream("null"),
        stream("[" * 100_000),
        stream("9" * 10_000),
        stream({"choices": 5}),
        stream({"choices": ["a"]}),
        stream(chunk("a text", "stop")),
        stream(chunk({"tool_calls": 5}, "stop")),
        stream(chunk({"tool_calls": [{"index": [1], "id": "a"}]}, "stop")),
        stream({**chunk({"content": "hi"}, "stop"), "created": 1e30}),
        stream(chunk({"content": "hi"}, "stop", usage=[1])),
    ],
)
async def test_an_answer_that_nobody_can_read_is_a_fault_to_be_asked_again_after(body):
    """Anything else ends the worker's attempt: the run is leased anew five times, and each pays."""
    fault = await fault_of(body)
    assert (fault.code, fault.retryable) == ("upstream_failed", True)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "message_start", "message": {"id": "1", "model": "fake", "usage": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "unheard-of"}},
    ],
)
async def test_an_answer_in_the_other_shape_that_nobody_can_read_is_a_fault_too(event):
    """Its library stumbles elsewhere: over an assertion of its own, too."""
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
    frames = (f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in (event, end))
    fault = await fault_of("".join(frames).encode(), shape="anthropic")
    assert (fault.code, fault.retryable) == ("upstream_failed", True)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"choices": None},
        {"choices": [{}]},
        {"choices": ["a"]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"tool_calls": ["a"]}}]},
        {"choices": [{"message": {"tool_calls": 5}}]},
    ],
)
async def test_a_document_that_is_no_completion_is_a_fault_as_well(document):
    """It is made a stream of by us, and its parts may be anything."""
    body = json.dumps({"object": "chat.completion", **document}).encode()
    assert (await fault_of(body, headers=DOCUMENT)).code == "upstream_failed"


async def test_a_document_that_is_nested_too_deeply_is_a_fault_as_well():
    """JSON's depth is the sender's choice."""
    assert (await fault_of(b"[" * 100_000, headers=DOCUMENT)).code == "upstream_failed"


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": 10**30, "completion_tokens": 10**30}, {"prompt_tokens": 1.5}]
)
async def test_counts_that_cannot_be_are_estimated(usage):
    """The store could not add them, and what the answer took would be counted nowhere."""
    async with answering(stream(chunk({"content": "hi"}, "stop", usage=usage))) as model:
        reply = await model.ask()
    assert reply.text == "hi"
    assert 0 < reply.usage.input_tokens < 1000


async def test_no_more_of_its_input_is_from_the_cache_than_there_was():
    """A cheaper token is one of those that were read."""
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 50},
    }
    async with answering(stream(chunk({"content": "hi"}, "stop", usage=usage))) as model:
        assert (await model.ask()).usage.cached_tokens == 5


async def test_a_reason_to_end_that_nobody_knows_is_one():
    """Some servers say "eos": their answers would be paid for six times, and never taken."""
    async with answering(stream(chunk({"content": "hi"}, "eos"))) as model:
        reply = await model.ask()
    assert (reply.text, reply.reason) == ("hi", "stop")


async def test_an_error_that_does_not_end_is_read_no_further_than_it_is_worth():
    """It was kept as long as it came: gigabytes within the time for a first token."""
    fault = await fault_of(b"a" * 65536, headers=DOCUMENT, status=500, times=10_000)
    assert str(MAX_ERROR) in fault.detail


async def test_an_answer_that_does_not_end_is_read_no_further_than_it_is_worth():
    """A line of a stream has no end that anybody has to write."""
    fault = await fault_of(b"data:" + b"a" * 65536, times=10_000)
    assert "longer than" in fault.detail


async def test_an_answer_of_very_many_calls_is_read_no_further_than_it_is_worth():
    """Each further one takes as long as there are others: seconds of the event loop."""
    calls = (
        chunk({"tool_calls": [{"index": n, "id": f"c{n}", "function": {"name": "read_file"}}]})
        for n in range(300)
    )
    fault = await fault_of(stream(*calls))
    assert "parts" in fault.detail


async def test_an_answer_that_is_packed_is_not_unpacked():
    """A megabyte of zeros is a thousand bytes, and a gigabyte a million."""
    packed = zlib.compress(stream(chunk({"content": "hi"}, "stop")), wbits=31)
    fault = await fault_of(packed, headers={**EVENTS, "Content-Encoding": "gzip"})
    assert "packed" in fault.detail


async def test_a_time_to_wait_that_is_no_time_is_bounded():
    """A number of twenty digits is no number of days."""
    more = {"Retry-After": "9" * 20, "Content-Length": "0"}
    fault = await fault_of(b"", headers=more, status=429)
    assert fault.code == "overloaded"
    assert fault.retry_after is not None


async def test_what_a_provider_sends_in_the_wrong_place_is_not_warned_of(recwarn):
    """The warning holds the value, which may be the key that it was sent, and a log takes warnings."""
    usage = {"prompt_tokens": KEY, "completion_tokens": 1, "total_tokens": KEY}
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        async with answering(stream(chunk({"content": "hi"}, "stop", usage=usage))) as model:
            await model.ask()
    assert KEY not in "".join(str(warning.message) for warning in recwarn)
