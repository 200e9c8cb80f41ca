"""Several reads in one request: at once, in order, each by itself."""

import asyncio

import pytest

from common.errors import ClientError, ToolError
from execution_environment.calls import batches
from execution_environment.calls.batches import Batches
from tests.execution_environment.conftest import tool_call


class Executor:
    """Answers each call with what its tool's name asks for, once all of them have come."""

    def __init__(self, expected):
        self.all_there = asyncio.Barrier(expected)
        self.only_reads = []

    async def run(self, call, *, only_reads):
        """Wait for the others."""
        self.only_reads.append(only_reads)
        await self.all_there.wait()
        if call.tool != "read_file":
            raise ToolError("path_not_found", call.id)
        return call.id


async def test_the_calls_of_a_batch_are_made_at_once_and_answered_in_order():
    """One after the other they would take as long as several requests."""
    executor = Executor(3)
    calls = [tool_call(tool, _id=f"c{n}") for n, tool in enumerate(("read_file", "x", "read_file"))]
    async with asyncio.timeout(10):
        first, failed, last = await Batches(executor, 3).run(calls)
    assert (first, failed.detail, last) == ("c0", "c1", "c2")
    assert executor.only_reads == [True] * 3


async def test_a_call_that_hangs_holds_up_no_other(monkeypatch):
    """Nothing ends a thread that the file system does not answer."""
    monkeypatch.setattr(batches, "LATE", 0.05)

    class Hanging(Executor):
        async def run(self, call, *, only_reads):
            if call.tool == "x":
                await asyncio.Event().wait()
            return await super().run(call, only_reads=only_reads)

    calls = [tool_call("x", {"timeout": 0.05}), tool_call("read_file", _id="c")]
    async with asyncio.timeout(10):
        hanging, read = await Batches(Hanging(1), 3).run(calls)
    assert (hanging.code, hanging.outcome, read) == ("deadline_exceeded", "not_executed", "c")


async def test_a_batch_of_too_many_calls_is_refused_and_none_is_made():
    """Their answers are held at once."""
    executor = Executor(1)
    with pytest.raises(ClientError) as caught:
        await Batches(executor, 2).run([tool_call("read_file")] * 3)
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", 2)
    assert executor.only_reads == []


async def test_a_batch_makes_no_call_that_changes_files(executor, demo):
    """Nor its dry run; the others are made."""
    (demo / "x").write_text("1")
    refused = [
        tool_call("write_file", path="new", content="2"),
        tool_call("write_file", _dry_run=True, path="new", content="2"),
        tool_call("delete_path", path="x"),
    ]
    *ended, read = await Batches(executor, 9).run([*refused, tool_call("read_file", path="x")])
    assert [(one.code, one.context.path) for one in ended] == [
        ("invalid_request", "new"), ("invalid_request", "new"), ("invalid_request", "x"),
    ]  # fmt: skip
    assert all("POST /v1/tool-calls" in one.hint for one in ended)
    assert read.output["content"] == "1"
    assert [path.name for path in demo.iterdir() if path.name != "canary.txt"] == ["x"]
