"""Previews: dry runs side by side, a refusal of one of them is its preview, and a fault ends them all."""

import asyncio

import pytest

from common.errors import SystemFault, ToolError
from common.tools import ToolResult
from orchestrator.approvals.paths import Touched
from orchestrator.approvals.previewing import SIDE_BY_SIDE, Change, Previewer
from tests.orchestrator.builders import receipt


def changes(count, depends_on=None):
    """Return so many changes of files of their own."""
    return [
        Change(n, "write_file", {"path": f"f{n}"}, [Touched((b"f%d" % n,))], depends_on)
        for n in range(1, count + 1)
    ]


def result(**output):
    """Return the result of a dry run."""
    receipts = [receipt("f", "hash")]
    return ToolResult(id="i", tool="t", output=output, receipts=receipts, duration_ms=1.0)


async def test_changes_are_previewed_side_by_side_and_not_all_at_once():
    """A thousand calls of a turn leave the execution environment to others as well."""
    under_way, most = 0, 0

    async def dry_run(tool, arguments):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return result(diff=f"of {arguments['path']}")

    seen = await Previewer(dry_run, "req_1").previews(changes(50))
    assert [seen[n].preview.diff for n in (1, 50)] == ["of f1", "of f50"]
    assert most == SIDE_BY_SIDE


async def test_refusal_is_what_the_preview_says():
    """The call would end with it."""

    async def dry_run(tool, arguments):
        raise ToolError("path_not_found", "There is no such file")

    seen = await Previewer(dry_run, "req_1").previews(changes(1))
    assert (seen[1].preview.error.code, seen[1].preview.error.request_id) == (
        "path_not_found", "req_1",
    )  # fmt: skip


async def test_fault_ends_all_previews_and_leaves_none_behind():
    """Nobody can be shown half a turn."""
    before, waits = asyncio.all_tasks(), asyncio.Event()

    async def dry_run(tool, arguments):
        if arguments["path"] == "f2":
            raise SystemFault("unavailable", "away")
        await waits.wait()

    with pytest.raises(SystemFault, match="away"):
        await Previewer(dry_run, "req_1").previews(changes(5))
    assert asyncio.all_tasks() == before


async def test_change_that_depends_on_another_is_shown_with_what_is_there_and_no_diff():
    """What it will find there is known when the other one is made."""

    async def dry_run(tool, arguments):
        assert tool == "get_file_info"
        if arguments["path"] == "f2":
            raise ToolError("path_not_found", "There is no such file")
        return result(sha256="abc")

    seen = await Previewer(dry_run, "req_1").previews(changes(2, depends_on=7))
    assert seen[1].preview.depends_on_step == 7
    assert (seen[1].hashes, seen[2].hashes) == ({"f1": "abc"}, {"f2": None})
