"""Messages on the wire: each request has one answer, whatever comes and however it ends."""

import asyncio
import errno
import json
import os
from contextlib import asynccontextmanager

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from agentic.mcp.messages import Messages
from agentic.mcp.wire import Wire
from agentic.terminal.output import OutputError, UnreadError
from tests.agentic.mcp.ends import LINE

NOTE = JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")


def line(**said):
    """Return a message as its line."""
    return json.dumps({"jsonrpc": "2.0", **said}).encode() + b"\n"


def ask(number):
    """Return a request as its line."""
    return line(id=number, method="tools/call", params={})


def answer(number):
    """Return an answer as it goes."""
    return SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=number, result={}))


@asynccontextmanager
async def serving(wire):
    """Yield the streams of a wire's messages, which whoever serves on them closes."""
    async with asyncio.timeout(10), Messages(wire).streams() as streams, streams[0], streams[1]:
        yield streams


async def rest_of(reading):
    """Return all that comes until the end."""
    return [one async for one in reading]


async def said(ends):
    """Return the next line that a client gets."""
    return json.loads(await asyncio.to_thread(os.read, ends.read, 100_000))


async def test_messages_go_line_by_line_until_the_sender_ends(ends):
    """A line that is cut anywhere is one line; one of nothing is none."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, LINE[:20])
        os.write(ends.write, LINE[20:] + b"\n \n" + LINE)
        for _ in range(2):
            assert (await reading.receive()).message == NOTE
        await writing.send(SessionMessage(NOTE))
        assert await asyncio.to_thread(os.read, ends.read, 1000) == LINE
        os.close(ends.write)
        assert await rest_of(reading) == []


async def test_message_of_any_size_is_written_whole(ends):
    """A pipe takes 64 KiB at once, and its reader takes its time."""
    large = JSONRPCNotification(jsonrpc="2.0", method="x" * 300_000)
    got = b""
    async with serving(ends.wire) as (_reading, writing):
        await writing.send(SessionMessage(large))
        while not got.endswith(b"\n"):
            got += await asyncio.to_thread(os.read, ends.read, 1000)
        os.close(ends.write)
    assert json.loads(got)["method"] == large.method


@pytest.mark.parametrize(
    ("sent", "code", "number"),
    [
        (b"no message\n", -32700, None), (LINE[:-1] + b"\xff\n", -32700, None), (b"[]\n", -32600, None),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}\n', -32700, None),
        (line(id=3, method="ping", params={"x": "\ud800"}), -32700, None),
        (b'{"jsonrpc":"2.0","id":3,"method":"ping","params":' + b'{"x":' * 250 + b"1" + b"}" * 251 + b"\n",
         -32700, None),
        (line(id=3, method="ping", params=[]), -32600, 3), (line(id=None, method="ping"), -32600, None),
        (line(id=1.5, method="ping"), -32600, None), (line(id="a", method=5), -32600, "a"),
        (line(id=3, result=5), -32600, None),
    ],
)  # fmt: skip
async def test_line_that_is_no_message_is_answered(ends, sent, code, number):
    """What is wrong with it, and under its id where it has one; what comes after it is heard."""
    async with serving(ends.wire) as (reading, _writing):
        os.write(ends.write, sent)
        told = await said(ends)
        assert (told["id"], told["error"]["code"]) == (number, code)
        assert told["error"]["data"]["outcome"] == "not_executed"
        os.write(ends.write, LINE)
        assert (await reading.receive()).message == NOTE
        os.close(ends.write)


async def test_id_has_one_answer(ends):
    """A second request of an id is refused under none, until the first is answered."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(1) + ask("1"))
        await reading.receive()
        assert (await said(ends))["id"] is None
        await writing.send(answer(1))
        assert (await said(ends))["result"] == {}
        os.write(ends.write, ask(1))
        await reading.receive()
        await writing.send(answer(1))
        assert (await said(ends))["result"] == {}
        os.close(ends.write)


async def test_end_waits_for_what_was_asked(ends):
    """The library would drop it."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(0))
        await reading.receive()
        await writing.send(answer(0))
        assert (await said(ends))["id"] == 0
        os.write(ends.write, ask(1) + ask(2))
        os.close(ends.write)
        for _ in range(2):
            await reading.receive()
        ended = asyncio.create_task(rest_of(reading))
        await writing.send(answer(2))
        assert (await said(ends))["id"] == 2
        assert not ended.done()
        await writing.send(answer(1))
        assert (await said(ends))["id"] == 1
        assert await ended == []


@pytest.mark.parametrize("by", ["a cancelled request", "one that asks the client"])
async def test_end_does_not_wait_for_what_cannot_come(ends, by):
    """A cancelled request may stay without an answer; a client that has ended answers nothing."""
    cancelled = line(method="notifications/cancelled", params={"requestId": 1})
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(1) + (cancelled if by == "a cancelled request" else b""))
        await reading.receive()
        if by == "a cancelled request":
            await reading.receive()
        else:
            asked = JSONRPCRequest(jsonrpc="2.0", id=1, method="elicitation/create", params={})
            await writing.send(SessionMessage(asked))
        os.close(ends.write)
        assert await rest_of(reading) == []


async def test_request_that_has_asked_its_client_is_waited_for_once_it_has_its_answer(ends):
    """It goes on from there."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(1))
        await reading.receive()
        asked = JSONRPCRequest(jsonrpc="2.0", id=7, method="elicitation/create", params={})
        await writing.send(SessionMessage(asked))
        assert (await said(ends))["id"] == 7
        os.write(ends.write, line(id=7, result={}))
        await reading.receive()
        os.close(ends.write)
        ended = asyncio.create_task(rest_of(reading))
        await writing.send(answer(1))
        assert (await said(ends))["id"] == 1
        assert await ended == []


async def test_what_is_on_its_way_is_written_when_a_signal_comes(ends):
    """Whoever serves tells each request that it has ended."""
    ready = asyncio.Event()

    async def serve():
        async with serving(ends.wire) as (reading, writing):
            os.write(ends.write, ask(1))
            await reading.receive()
            ready.set()
            try:
                await reading.receive()
            finally:
                await asyncio.shield(writing.send(answer(1)))

    task = asyncio.create_task(serve())
    await ready.wait()
    task.cancel()
    assert (await said(ends))["id"] == 1
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_client_that_reads_nothing_keeps_a_signal_waiting_for_a_moment_only(ends):
    """What is written to a full pipe never ends."""
    large = JSONRPCNotification(jsonrpc="2.0", method="x" * 300_000)

    async def serve():
        async with serving(ends.wire) as (reading, writing):
            await writing.send(SessionMessage(large))
            await reading.receive()

    task = asyncio.create_task(serve())
    await asyncio.to_thread(os.read, ends.read, 1)  # it has begun
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    while not (await asyncio.to_thread(os.read, ends.read, 100_000)).endswith(b"\n"):
        pass  # the thread that was left behind has its end, too


class Failing:
    """A file that can be neither read nor written."""

    def readline(self, _most):
        """Fail."""
        raise OSError(errno.EIO, "Input/output error")

    def write(self, _data):
        """Fail."""
        raise OSError(errno.ENOSPC, "No space left on device")


async def exchange(wire):
    """Send a message, and read until there are no more lines."""
    async with serving(wire) as (reading, writing):
        await writing.send(SessionMessage(NOTE))
        assert await rest_of(reading) == []


async def test_client_that_reads_no_more_ends_the_lines(ends):
    """Also while it goes on to keep its own side open."""
    os.close(ends.read)
    with pytest.raises(UnreadError):
        await exchange(ends.wire)


async def test_client_that_reads_no_more_is_not_waited_for_at_the_end(ends):
    """What it has asked cannot be answered."""

    async def asked():
        async with serving(ends.wire) as (reading, writing):
            os.write(ends.write, ask(1))
            os.close(ends.write)
            await reading.receive()
            os.close(ends.read)
            await writing.send(answer(1))
            assert await rest_of(reading) == []

    with pytest.raises(UnreadError):
        await asked()


async def test_output_that_cannot_be_written_is_told_with_the_reason(ends):
    """A disk that is full, say."""
    with pytest.raises(OutputError, match="No space left"):
        await exchange(Wire(ends.wire._source, Failing()))


async def test_input_that_cannot_be_read_is_told_with_the_reason(ends):
    """A terminal that is gone, say."""
    with pytest.raises(OSError, match="Input/output error"):
        await exchange(Wire(Failing(), ends.wire._sink))
