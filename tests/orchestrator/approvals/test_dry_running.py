"""Dry runs on behalf of a user: they may read only, come again where an answer was lost, and settle nothing."""

import asyncio

import pytest

from common.context import ExecutionContext, RequestSource
from common.errors import SystemFault, ToolError
from common.ids import new_id
from orchestrator.approvals.dry_running import dry_runs
from orchestrator.execution.retrying import Cancelled
from tests.orchestrator.fakes import ScriptedExecutor, lost

pytestmark = pytest.mark.usefixtures("impatient")


def context(timeout=5.0):
    """Return somebody who may write."""
    return ExecutionContext(
        request_id="req_1", run_id=new_id("run"), user_id="ann", allowed_paths_root="ann/demo",
        request_source=RequestSource(kind="rest"), timeout=timeout,
    )  # fmt: skip


async def test_dry_run_is_made_for_somebody_who_may_only_read():
    """Whatever the call is: that it changes nothing does not hang on one flag alone."""
    executor, asked = ScriptedExecutor({"diff": "d"}), context()
    result = await dry_runs(executor, asked)("write_file", {"path": "x"})
    [(call, _)] = executor.calls
    assert result.output == {"diff": "d"}
    assert (call.dry_run, call.context.access, call.context.user_id) == (True, "read_only", "ann")
    assert call.id.startswith(f"{asked.run_id}:preview:")


async def test_lost_answer_is_asked_for_again_and_nothing_is_settled():
    """It cannot have taken effect."""
    executor = ScriptedExecutor(*lost(), {"diff": "d"})
    await dry_runs(executor, context())("write_file", {"path": "x"})
    assert (len(executor.calls), executor.settled) == (2, [])
    away = ScriptedExecutor(*lost(50))
    with pytest.raises(SystemFault):
        await dry_runs(away, context(timeout=0.05))("write_file", {"path": "x"})
    assert away.settled == []


async def test_refusal_and_cancel_go_through():
    """The one is what the preview says, the other ends it."""
    refusing = ScriptedExecutor(ToolError("path_not_found", "There is no such file"))
    with pytest.raises(ToolError, match="no such file"):
        await dry_runs(refusing, context())("write_file", {"path": "x"})
    cancelled = asyncio.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        await dry_runs(ScriptedExecutor(), context(), None, cancelled)("write_file", {"path": "x"})
