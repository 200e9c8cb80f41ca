"""Two attempts at one call, the second of which comes while the first is under way."""

import asyncio
import errno
import threading

import pytest

from common.errors import ToolError
from tests.execution_environment.conftest import tool_call


@pytest.fixture
def committer(parts):
    """The committer of the service."""
    return parts.executor._coordinator._committer


async def reached(event):
    """Wait until a thread has come to a point."""
    assert await asyncio.to_thread(event.wait, 10)


async def test_attempt_that_is_withdrawn_answers_no_other(executor, demo, committer, monkeypatch):
    """The other one has found its result, and then there is neither that nor a change."""
    is_intended, has_found, has_ended = (threading.Event() for _ in range(3))
    intents, apply = committer._ledger.intents, committer._renamer.apply
    is_applied = intents.is_applied

    def fails_once(rename):
        if has_ended.is_set():
            return apply(rename)
        is_intended.set()
        assert has_found.wait(10)
        raise OSError(errno.EACCES, "no")

    def asked_late(*place):
        has_found.set()
        assert has_ended.wait(10)
        return is_applied(*place)

    monkeypatch.setattr(committer._renamer, "apply", fails_once)
    monkeypatch.setattr(intents, "is_applied", asked_late)
    call = tool_call("write_file", _id="one", path="new", content="x")
    first = asyncio.ensure_future(executor.run(call))
    await reached(is_intended)
    second = asyncio.ensure_future(executor.run(call))
    with pytest.raises(ToolError):
        await first
    has_ended.set()
    assert not (await second).replayed
    assert (demo / "new").read_text() == "x"


async def test_attempt_whose_time_is_up_has_the_result_of_one_that_was_quicker(
    executor, committer, monkeypatch
):
    """It was told that nothing had been changed."""
    ledger, is_first = committer._ledger, [True]
    find, has_looked, is_made = ledger.find, threading.Event(), threading.Event()

    def found(key):
        result = find(key)
        if is_first.pop() if is_first else False:
            has_looked.set()
            assert is_made.wait(10)
        return result

    def observe(step):
        if step == "recovered" and is_made.is_set():
            threading.Event().wait(1.1)  # its time passes

    monkeypatch.setattr(ledger, "find", found)
    monkeypatch.setattr(committer, "_observe", observe)
    late, quick = (
        tool_call("create_directory", {"timeout": seconds}, _id="one", path="new")
        for seconds in (1, 30)
    )
    second = asyncio.ensure_future(executor.run(late))
    await reached(has_looked)
    await executor.run(quick)
    is_made.set()
    assert (await second).replayed
