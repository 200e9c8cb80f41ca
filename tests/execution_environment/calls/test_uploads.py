"""Uploads, beside an earlier attempt."""

import asyncio
import threading
import time

import pytest
from starlette.datastructures import Headers

from common.context import Limits
from common.errors import SystemFault
from execution_environment.calls.file_request import FileRequest
from execution_environment.ledger.ledger import Ledger
from execution_environment.threads import ThreadPool
from tests.execution_environment.conftest import staged_in, tool_call


async def test_an_upload_whose_earlier_attempt_is_taken_back_meanwhile_is_to_be_repeated(
    parts, data_dir, monkeypatch
):
    """Its content was only compared, so there is none to be put in the place."""
    monkeypatch.setattr(Ledger, "has", lambda *_: True)
    context = tool_call("x").context.model_copy(
        update={"limits": Limits(workspace_quota_bytes=100)}
    )

    async def pieces():
        yield b"y" * 200

    with pytest.raises(SystemFault) as caught:
        await parts.uploads.take(FileRequest("u", 0, "x", context), Headers({}), pieces())
    error = caught.value
    assert (error.code, error.outcome, error.retryable) == ("unavailable", "not_executed", True)


async def empty():
    """Yield what is uploaded: nothing."""
    for piece in ():
        yield piece


async def test_upload_that_is_cancelled_while_its_file_is_made_leaves_none(parts, data_dir):
    """The thread goes on when the request is gone; then nobody knows of the file any more."""
    context = tool_call("x").context
    arrived, gate, open_workspace = (
        threading.Event(),
        threading.Event(),
        parts.uploads._workspaces.open,
    )

    def slow(*asked):
        workspace = open_workspace(*asked)
        receive = workspace.change.receive

        def late():
            arrived.set()
            assert gate.wait(10)
            return receive()

        workspace.change.receive = late
        return workspace

    parts.uploads._workspaces.open = slow
    taking = asyncio.create_task(
        parts.uploads.take(FileRequest("u", 0, "x", context), Headers({}), empty())
    )
    assert await parts.threads.run(arrived.wait, 10)
    taking.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    async with asyncio.timeout(10):
        while len(staged_in(data_dir)) > 1:  # the process's own directory stays
            await asyncio.sleep(0.01)


async def test_upload_that_is_cancelled_in_line_for_a_thread_leaves_nothing_staged(
    assemble, data_dir
):
    """Its turn does not come before its deadline: nobody is there to be told, and the file goes."""
    parts = assemble(threads=ThreadPool(4, 64))
    context = tool_call("x", {"timeout": 1}).context
    gate = threading.Event()
    later = time.monotonic() + 30
    holding = asyncio.create_task(parts.threads.run_for(context.user_id, later, gate.wait, 20))
    taking = asyncio.create_task(
        parts.uploads.take(FileRequest("u", 0, "x", context), Headers({}), empty())
    )
    while not parts.threads._waiting:
        await asyncio.sleep(0.01)
    assert len(staged_in(data_dir)) == 2
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    async with asyncio.timeout(10):
        while len(staged_in(data_dir)) > 1:
            await asyncio.sleep(0.01)
    gate.set()
    await holding
    await parts.close()
