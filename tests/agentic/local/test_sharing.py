"""One stack for all who use a data directory, with small processes in place of the services."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from agentic.local.ownership import StackError, note, noted_url, owning
from agentic.local.sharing import SharedStack
from agentic.local.stack import running_stack

DATA = Path("data")


def started(directory):
    """Return the process of the orchestrator that was started last."""
    return json.loads((directory / "orchestrator.env").read_text())["pid"]


async def test_whoever_finds_no_stack_starts_it_and_the_others_find_it(place):
    """At once or one after the other: there is one."""
    directory = place()
    async with SharedStack(DATA) as one, SharedStack(DATA) as two:
        first, second = await asyncio.gather(one.url(False), two.url(False))
        assert first == second == noted_url(DATA)
        assert await one.url(True) == first
        assert await two.url(True) == first
    assert (directory / "stopped").read_text().split() == ["orchestrator", "execution_environment"]


async def test_stack_that_serves_already_is_used_and_left_alone(place):
    """`agentic up` has it, and ends it."""
    directory = place()
    async with running_stack(DATA) as stack:
        async with SharedStack(DATA) as shared:
            assert await shared.url(False) == stack.url
        assert stack.is_up
        assert not (directory / "stopped").exists()


async def test_stack_whose_starter_has_ended_is_started_again_by_who_still_needs_it(place):
    """Two editors use one directory, and the one that was there first is closed."""
    place()
    async with SharedStack(DATA) as staying:
        async with SharedStack(DATA) as first:
            url = await first.url(False)
            assert await staying.url(False) == url
        assert await staying.url(False) == url  # nobody looks while nothing is lost
        anew = await staying.url(True)
        assert anew == noted_url(DATA)
        assert await staying.url(False) == anew


async def test_stack_of_its_own_that_has_ended_is_started_again(place):
    """A service of it was killed."""
    directory = place()
    async with SharedStack(DATA) as shared:
        await shared.url(False)
        killed = started(directory)
        os.kill(killed, signal.SIGKILL)
        stack = shared._own
        async with asyncio.timeout(20):
            await stack.ended()
        await shared.url(True)
        assert started(directory) != killed


@pytest.mark.parametrize("facts", [[], ["http://127.0.0.1:9"]], ids=["starting", "ending"])
async def test_stack_that_never_serves_is_told_with_what_to_do(place, facts):
    """Its owner hangs, before it was ready or at its end."""
    place()
    with owning(DATA) as file:
        for fact in facts:
            note(file, fact)
        async with SharedStack(DATA, patience=0.1) as shared:
            with pytest.raises(StackError, match="agentic down ends it"):
                await shared.url(False)


async def test_stack_that_cannot_be_started_is_told(place):
    """With the last lines of its log; whoever asks again tries again."""
    place(orchestrator="dead at once")
    async with SharedStack(DATA) as shared:
        for _ in range(2):
            with pytest.raises(StackError, match="there is no disk"):
                await shared.url(False)
