"""Lost answers and cancels: each call takes effect once, and what became of it is said truthfully."""

import asyncio

import pytest

from common.errors import ClientError, SystemFault, ToolError
from orchestrator.engine.signals import Signals
from orchestrator.execution import retrying
from tests.orchestrator.builders import event_types
from tests.orchestrator.fakes import broken_inside, call, lost

NOT_SENT = SystemFault("unavailable", "cannot be reached")
NOT_FOUND = ToolError("path_not_found", "no x")
EXPIRED = ClientError("call_expired", "nobody knows", outcome="unknown")
pytestmark = pytest.mark.usefixtures("impatient")


async def test_call_whose_answer_was_lost_is_made_again_under_the_same_id(execute):
    """The execution environment replays what it has done."""
    run, executor = await execute([call()], [*lost(2), {"sha256": "1"}])
    assert (run.status, run.steps[0].attempts) == ("succeeded", 3)
    assert len({made.id for made, _ in executor.calls}) == 1
    assert executor.settled == []


@pytest.mark.parametrize(
    ("settlement", "status", "outcome"),
    [
        ({"sha256": "1"}, "succeeded", None),
        (None, "failed", "not_executed"),
        (EXPIRED, "failed", "unknown"),
    ],
)
async def test_call_without_an_answer_is_settled_at_its_deadline(
    execute, settlement, status, outcome
):
    """At the deadline the call has happened, or it never will; if nobody can tell, it is unknown."""
    run, executor = await execute([call()], lost(100), call_timeout=0.1, settlements=[settlement])
    assert run.status == status
    assert (run.error.outcome if run.error else None) == outcome
    assert executor.settled == [f"{run.id}:1:1"]


async def test_call_is_settled_again_and_given_up_in_time(execute):
    """The service may be back a moment later."""
    run, executor = await execute(
        [call()], [broken_inside()], settlements=[NOT_SENT, *lost(), {"sha256": "1"}]
    )
    assert (run.status, len(executor.calls), len(executor.settled)) == ("succeeded", 1, 3)
    run, _ = await execute([call()], [broken_inside()], settlements=[NOT_SENT] * 100)
    assert (run.status, run.error.code, run.error.outcome) == ("failed", "internal", "unknown")


async def test_call_with_an_error_after_a_lost_answer_is_settled_too(execute):
    """The first attempt may still be on its way: without a tombstone it could take effect."""
    run, executor = await execute([call()], [*lost(), NOT_FOUND])
    assert (run.error.code, run.error.outcome) == ("path_not_found", "not_executed")
    assert len(executor.settled) == 1
    run, executor = await execute([call()], [NOT_FOUND])
    assert executor.settled == []


@pytest.mark.parametrize(
    ("settlement", "status", "outcome"),
    [
        ({"sha256": "1"}, "succeeded", None),
        (None, "cancelled", None),
        (EXPIRED, "cancelled", "unknown"),
    ],
)
async def test_call_in_flight_is_settled_when_its_run_is_cancelled(
    execute, store, settlement, status, outcome
):
    """Before `run.cancelled`: nothing takes effect afterwards, and what has is recorded."""
    signals = Signals()

    async def forever():
        signals.cancelled.set()
        await asyncio.Event().wait()

    run, executor = await execute([call()], [forever], signals, settlements=[settlement])
    [made] = run.steps
    assert (run.status, made.status) == ("cancelled", status)
    assert (made.error.outcome if made.error else None) == outcome
    assert executor.settled == [f"{run.id}:1:1"]
    assert [receipt.sha256_after for receipt in made.receipts] == (["1"] if settlement == {"sha256": "1"} else [])  # fmt: skip
    assert (await event_types(store, run.session_id))[-1] == "run.cancelled"


async def test_call_that_was_never_sent_is_made_again(execute):
    """Until there is an answer, or the call's own time is up."""
    run, executor = await execute([call()], [NOT_SENT, NOT_SENT, {}])
    assert (run.status, run.steps[0].attempts) == ("succeeded", 3)
    assert len({made.id for made, _ in executor.calls}) == 1
    failed, _ = await execute([call()], [NOT_SENT] * 100, call_timeout=0.2)
    assert (failed.status, failed.error.code, failed.error.outcome) == (
        "failed", "unavailable", "not_executed",
    )  # fmt: skip


async def test_call_between_attempts_ends_when_its_run_is_cancelled(execute, monkeypatch):
    """Nothing was under way, so nothing is unknown."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 30.0)
    signals = Signals()

    async def not_sent():
        asyncio.get_running_loop().call_soon(signals.cancelled.set)
        raise NOT_SENT

    run, _ = await execute([call()], [not_sent], signals, call_timeout=120)
    assert (run.status, run.steps[0].error) == ("cancelled", None)
