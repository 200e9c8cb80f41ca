"""Messages on the wire: each request has one answer, whatever comes and however it ends."""

import asyncio
import errno
import json
import os
from contextlib import asynccontextmanager
from functools import partial

import pytest
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from agentic.mcp.messages import Messages
from agentic.mcp.wire import Wire
from agentic.terminal.output import OutputError, UnreadError
from tests.agentic.mcp.door import asks
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


def asking(number, of):
    """Return what a request asks its client, as it goes."""
    asked = JSONRPCRequest(jsonrpc="2.0", id=number, method="elicitation/create", params={})
    return SessionMessage(asked, ServerMessageMetadata(related_request_id=of))


@asynccontextmanager
async def serving(wire):
    """Yield the streams of a wire's messages, and close both at the end, as the library does."""
    streams, ended = asyncio.Queue(), asyncio.Event()

    async def serve(reading, writing):
        async with reading, writing:
            await streams.put((reading, writing))
            await ended.wait()

    async with asyncio.timeout(10):
        task = asyncio.create_task(Messages(wire).serve(serve))
        try:
            yield await streams.get()
        finally:
            ended.set()
        await task


async def rest_of(reading):
    """Return all that comes until the end."""
    return [one async for one in reading]


async def heard_out(ends):
    """Wait until the end has been read, and all that comes of it by itself has happened."""
    async with asyncio.timeout(5):
        while not (ends.wire._reading.done() and ends.wire._reading.result() == b""):
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)


async def said(ends):
    """Return the next line that a client gets."""
    return json.loads(await ends.line())


async def test_messages_go_line_by_line_until_the_sender_ends(ends):
    """A line that is cut anywhere is one line; one of nothing is none."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, LINE[:20])
        os.write(ends.write, LINE[20:] + b"\n \n" + LINE)
        for _ in range(2):
            assert (await reading.receive()).message == NOTE
        await writing.send(SessionMessage(NOTE))
        assert await ends.some() == LINE
        os.close(ends.write)
        assert await rest_of(reading) == []


async def test_message_of_any_size_is_written_whole(ends):
    """A pipe takes 64 KiB at once, and its reader takes its time."""
    large = JSONRPCNotification(jsonrpc="2.0", method="x" * 300_000)
    async with serving(ends.wire) as (_reading, writing):
        await writing.send(SessionMessage(large))
        assert (await said(ends))["method"] == large.method
        os.close(ends.write)


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
        (line(id=3, method="ping", result={}), -32600, 3),
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
@pytest.mark.parametrize("number", [1, "01"])
async def test_end_does_not_wait_for_what_cannot_come(ends, by, number):
    """A cancelled request may stay without an answer; a client that has ended answers nothing.

    The library takes "01" for 1.
    """
    cancelled = line(method="notifications/cancelled", params={"requestId": number})
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(1) + (cancelled if by == "a cancelled request" else b""))
        await reading.receive()
        if by == "a cancelled request":
            await reading.receive()
        else:
            await writing.send(asking(1, of=1))
        os.close(ends.write)
        assert await rest_of(reading) == []


@pytest.mark.parametrize("is_taken_back", [True, False], ids=["taken back", "not yet"])
async def test_end_waits_where_another_request_was_cancelled_that_had_asked_its_client(
    ends, is_taken_back
):
    """The client is told that it is not asked any more, sooner or later, and says nothing to that."""
    cancelled = line(method="notifications/cancelled", params={"requestId": 1})
    taken_back = {"method": "notifications/cancelled", "params": {"requestId": 7}}
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(1))
        await reading.receive()
        await writing.send(asking(7, of=1))
        assert (await said(ends))["id"] == 7
        os.write(ends.write, cancelled + ask(2))
        for _ in range(2):
            await reading.receive()
        if is_taken_back:
            await writing.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", **taken_back)))
            assert (await said(ends))["method"] == "notifications/cancelled"
        os.close(ends.write)
        ended = asyncio.create_task(rest_of(reading))
        await heard_out(ends)
        assert not ended.done()
        await writing.send(answer(2))
        assert (await said(ends))["id"] == 2
        assert await ended == []


async def test_answer_is_not_answered(ends):
    """Two who do that would never end."""
    broken = [line(result=5, id=1), line(error={"code": "x"}, id=None), line(result={}, id=None)]
    async with serving(ends.wire) as (reading, _writing):
        os.write(ends.write, b"".join(broken) + line(error={"code": 1, "message": "x"}, id=None))
        assert (await reading.receive()).message.error.code == 1
        os.write(ends.write, b"[]\n")
        assert (await said(ends))["error"]["code"] == -32600  # the first that is said at all
        os.close(ends.write)


async def test_request_that_has_asked_its_client_is_waited_for_once_it_has_its_answer(ends):
    """It goes on from there."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask(1))
        await reading.receive()
        await writing.send(asking(7, of=1))
        assert (await said(ends))["id"] == 7
        os.write(ends.write, line(id=7, result={}))
        await reading.receive()
        os.close(ends.write)
        ended = asyncio.create_task(rest_of(reading))
        await writing.send(answer(1))
        assert (await said(ends))["id"] == 1
        assert await ended == []


@asynccontextmanager
async def cancelled(serve, wire):
    """Serve until cancelled, after what is done meanwhile; it has ended in order by then."""
    task = asyncio.create_task(Messages(wire).serve(serve))
    yield
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_signal_is_the_end_of_the_input_to_whoever_serves(ends):
    """Also where the client goes on to send: of that nothing is heard, and those who wait are told."""
    asked, rest = asyncio.Event(), []

    async def serve(reading, writing):
        async with reading, writing:
            await reading.receive()
            asked.set()
            async for one in reading:
                rest.append(one)
            await writing.send(answer(1))

    async with cancelled(serve, ends.wire):
        os.write(ends.write, ask(1))
        await asked.wait()
    assert (await said(ends))["id"] == 1
    assert rest == []


async def test_message_that_nobody_takes_does_not_keep_a_signal(ends):
    """It came when nobody read any more."""
    is_busy = asyncio.Event()

    async def serve(reading, writing):
        async with reading, writing:
            await reading.receive()
            is_busy.set()
            await asyncio.Event().wait()

    async with cancelled(serve, ends.wire):
        os.write(ends.write, ask(1) + LINE)
        await is_busy.wait()


async def test_client_that_reads_nothing_keeps_a_signal_waiting_for_a_moment_only(ends):
    """What is written to a full pipe never ends."""
    large = JSONRPCNotification(jsonrpc="2.0", method="x" * 300_000)

    async def serve(reading, writing):
        async with reading, writing:
            await writing.send(SessionMessage(large))
            await reading.receive()

    async with cancelled(serve, ends.wire):
        begun = await ends.some()
    assert (
        len(begun + await ends.line()) > 300_000
    )  # the thread that was left behind has its end, too


async def test_request_that_the_library_leaves_without_an_answer_has_one_at_the_end(ends):
    """It loses those that wait for their client; each has the id that it came with."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, ask("01"))
        await reading.receive()
        await writing.send(asking(7, of="01"))
        assert (await said(ends))["id"] == 7
        os.close(ends.write)
        assert await rest_of(reading) == []
    told = await said(ends)
    assert (told["id"], told["error"]["message"]) == ("01", "Connection closed")


async def test_call_that_waits_for_its_user_is_told_of_the_end(bench, door, ends):
    """By the library itself nothing is."""
    door.set("tools/call", asks())
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "raw", "version": "1"},
    }
    async with asyncio.timeout(10), bench.upstream:
        server = await bench.server()
        serve = partial(server.run, initialization_options=server.create_initialization_options())
        task = asyncio.create_task(Messages(ends.wire).serve(serve))
        os.write(ends.write, line(id=0, method="initialize", params=hello))
        assert (await said(ends))["id"] == 0
        call = line(id=1, method="tools/call", params={"name": "put", "arguments": {}})
        os.write(ends.write, line(method="notifications/initialized") + call)
        assert (await said(ends))["method"] == "elicitation/create"
        os.close(ends.write)
        told = [await said(ends)]
        while told[-1].get("id") != 1:  # that nobody is asked any more may be told before
            told.append(await said(ends))
        await task
    assert told[-1]["error"]["message"] == "Connection closed"


async def test_fault_of_whoever_serves_is_raised(ends):
    """And ends the rest."""

    async def serve(reading, writing):
        async with reading, writing:
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await Messages(ends.wire).serve(serve)


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
