"""The wire: lines in and out, and an end to both whatever the other side does."""

import asyncio
import contextlib
import errno
import json
import os
import subprocess
import sys

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification

from agentic.mcp import wire as wiring
from agentic.mcp.wire import Wire
from agentic.terminal.output import OutputError, UnreadError

NOTE = JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
LINE = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


class Ends:
    """The other ends of a wire's pipes."""

    def __init__(self):
        theirs, self.write = os.pipe()
        self.read, ours = os.pipe()
        self.wire = Wire(os.fdopen(theirs, "rb"), os.fdopen(ours, "wb", buffering=0))
        self._files = [self.wire._source, self.wire._sink]

    def close(self):
        """Close all that is open still; what waits for a line gets the end."""
        for number in (self.write, self.read):
            with contextlib.suppress(OSError):
                os.close(number)
        for file in self._files:
            with contextlib.suppress(BrokenPipeError):
                file.close()


@pytest.fixture
def ends():
    """A wire over pipes."""
    made = Ends()
    yield made
    made.close()


@contextlib.asynccontextmanager
async def serving(wire):
    """Yield a wire's streams, which whoever serves on them closes."""
    async with asyncio.timeout(10), wire.streams() as streams, streams[0], streams[1]:
        yield streams


async def test_messages_go_line_by_line_until_the_sender_ends(ends):
    """A line that is cut anywhere, or no UTF-8, is one line; what is no message is told as that."""
    async with serving(ends.wire) as (reading, writing):
        os.write(ends.write, LINE[:20])
        os.write(ends.write, LINE[20:] + b"\xff\n")
        assert (await reading.receive()).message == NOTE
        assert isinstance(await reading.receive(), Exception)
        await writing.send(SessionMessage(NOTE))
        assert await asyncio.to_thread(os.read, ends.read, 1000) == LINE
        os.close(ends.write)
        assert [one async for one in reading] == []


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


async def test_line_without_an_end_comes_in_parts(ends, monkeypatch):
    """Nobody fills our memory."""
    monkeypatch.setattr(wiring, "MOST", 10)
    os.write(ends.write, b"x" * 25 + b"\n")
    os.close(ends.write)
    assert [len(line) async for line in ends.wire] == [10, 10, 6]


async def test_waiting_for_a_line_can_be_given_up(ends):
    """A signal ends the command, also while its client says nothing."""
    waiting = asyncio.create_task(anext(aiter(ends.wire)))
    async with asyncio.timeout(5):
        while ends.wire._reading is None:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


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
        assert [one async for one in reading] == []


async def test_client_that_reads_no_more_ends_the_lines(ends):
    """Also while it goes on to keep its own side open."""
    os.close(ends.read)
    with pytest.raises(UnreadError):
        await exchange(ends.wire)


async def test_line_that_comes_after_a_fault_is_not_read(ends):
    """A write may have failed while nobody was waiting for a line."""
    os.write(ends.write, LINE)
    ends.wire.fault = UnreadError()
    assert [line async for line in ends.wire] == []


async def test_output_that_cannot_be_written_is_told_with_the_reason(ends):
    """A disk that is full, say."""
    with pytest.raises(OutputError, match="No space left"):
        await exchange(Wire(ends.wire._source, Failing()))


async def test_input_that_cannot_be_read_is_told_with_the_reason(ends):
    """A terminal that is gone, say."""
    with pytest.raises(OSError, match="Input/output error"):
        await exchange(Wire(Failing(), ends.wire._sink))


def test_nothing_else_is_printed_to_the_wire_or_read_from_it():
    """What a library prints, or a child of ours, would be no message; afterwards all is as before."""
    program = """
import os, subprocess, sys
from agentic.mcp.wire import taken
print("before")
with taken() as wire:
    print("ours")
    subprocess.run(["sh", "-c", "echo a child; cat"])
    wire._sink.write(wire._source.readline())
print("after", sys.stdin.read())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input="a line\nrest",
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[:2] == ["before", "a line"]
    assert ended.stdout.splitlines()[2].startswith("after")
    assert ended.stderr == "ours\na child\n"
