"""The wire: lines in and out, and an end to both whatever the other side does."""

import asyncio
import os
import subprocess
import sys

import pytest

from agentic.mcp import wire as wiring
from agentic.terminal.output import UnreadError
from tests.agentic.mcp.ends import LINE


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


async def test_line_that_comes_after_a_fault_is_not_read(ends):
    """A write may have failed while nobody was waiting for a line."""
    os.write(ends.write, LINE)
    ends.wire.fault = UnreadError()
    assert [line async for line in ends.wire] == []


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
