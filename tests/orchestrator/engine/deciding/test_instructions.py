"""AGENTS.md: read once, before a run's first turn, which keeps it."""

import pytest

from common.errors import SystemFault, ToolError
from orchestrator.engine.calls import FenceTooLow
from orchestrator.engine.signals import Signals
from orchestrator.planners.decisions import CallTools, Finish
from tests.orchestrator.builders import expire_lease
from tests.orchestrator.fakes import (
    ConversingPlanner,
    ScriptedExecutor,
    ScriptedPlanner,
    call,
    fenced,
    runner_of,
)

pytestmark = pytest.mark.usefixtures("impatient")


def file(content, *, truncated=False):
    """Return the output of read_file."""
    return {"content": content, "truncated": truncated}


async def test_instructions_are_read_before_the_first_turn_and_kept_with_it(store, leased, redis):
    """What the run writes into the file does not count, whichever worker goes on with it."""
    planner = ConversingPlanner(CallTools([call("a", "write_file")]), Finish("done"))
    lease = await leased()
    ids = lease.session.id, lease.run.id
    lost = ScriptedExecutor(file("Use tabs."), ValueError("the worker is lost"))
    with pytest.raises(ValueError, match="lost"):
        await runner_of(store, lost, planner).execute(lease, Signals())
    await expire_lease(redis, lease)
    again = await store.leases.acquire(*ids, "another")
    second = ScriptedExecutor({})
    await runner_of(store, second, planner).execute(again, Signals())
    assert [made.id for made, _ in lost.calls] == [f"{ids[1]}:0:1", f"{ids[1]}:1:1"]
    assert lost.calls[0][0].arguments == {"path": "AGENTS.md", "max_bytes": 32768, "hash": False}
    assert [made.id for made, _ in second.calls] == [f"{ids[1]}:1:1"]
    assert [told.wishes.workspace_instructions for told in planner.told] == ["Use tabs."] * 2
    kept = [turn.workspace_instructions for turn in await store.runs.turns(*ids)]
    assert kept == ["Use tabs.", None]


async def first_told(store, leased, *outcomes):
    """Return the instructions that a planner is told first when the file gives this."""
    planner = ConversingPlanner(Finish("done"))
    lease = await leased()
    await runner_of(store, ScriptedExecutor(*outcomes), planner).execute(lease, Signals())
    return planner.told[0].wishes.workspace_instructions


@pytest.mark.parametrize(
    "outcome",
    [ToolError("path_not_found", "no"), ToolError("binary_file", "no"), file(" \n")],
    ids=lambda outcome: getattr(outcome, "code", "blank"),
)
async def test_workspace_without_instructions_that_can_be_read_has_none(store, leased, outcome):
    """Most have no such file, and one that is no text helps nobody."""
    assert await first_told(store, leased, outcome) is None


async def test_long_instructions_end_with_a_line_that_says_so(store, leased):
    """A model must not take the end of the piece for the end of the file."""
    told = await first_told(store, leased, file("a\nb", truncated=True))
    assert told.splitlines()[:2] == ["a", "b"]
    assert "32768 bytes" in told.splitlines()[-1]


async def test_instructions_are_asked_for_again_when_their_answer_was_lost(store, leased):
    """A busy service is no reason to work without them."""
    busy = SystemFault("overloaded", "busy")
    assert await first_told(store, leased, busy, file("Use tabs.")) == "Use tabs."


async def test_run_fails_with_the_fault_that_keeps_its_instructions_from_it(store, leased):
    """To go on without what the owner wants would be worse."""
    lease = await leased()
    planner = ConversingPlanner()
    executor = ScriptedExecutor(SystemFault("internal", "a bug", outcome="not_executed"))
    await runner_of(store, executor, planner).execute(lease, Signals())
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert (run.status, run.error.code, planner.told) == ("failed", "internal", [])


async def test_run_whose_instructions_come_late_under_its_fence_is_left_to_its_owner(store, leased):
    """As with a step: the newer owner's business."""
    with pytest.raises(FenceTooLow):
        await first_told(store, leased, fenced(2**62))


async def test_run_of_a_planner_without_a_model_reads_no_instructions(store, leased):
    """Nobody there could keep to them, and each call takes time."""
    executor = ScriptedExecutor()
    await runner_of(store, executor, ScriptedPlanner()).execute(await leased(), Signals())
    assert executor.calls == []
