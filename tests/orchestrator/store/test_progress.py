"""What a run's owner writes: bounded outputs, and the ending."""

import pytest

from common.errors import SystemFault
from orchestrator.store.backend import StoreConfig
from orchestrator.store.records import Ending
from orchestrator.store.store import make_store
from tests.orchestrator.builders import DONE, call_of, document, event_types, step, turn


async def test_progress_bounds_the_outputs_of_a_step_and_a_run(redis):
    """Per step and per run; the receipts stay, and the error says that the effect stands."""
    outputs = [{"x": "a" * 200}, {"x": "a" * 60}, {"x": "a" * 60}, None]
    made = [
        step(n, status="succeeded", output=output, arguments={"path": "p"})
        for n, output in enumerate(outputs, 1)
    ]
    decided = turn(*made)
    most = len(decided.model_dump_json()) + 130
    store = make_store(redis, "test", StoreConfig(max_step_output=100, max_run_output=most))
    opened = await store.sessions.create("ann", None, {}, None)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    await store.progress.record_turn(lease, decided)
    stored = [
        await store.progress.commit_step(lease, step, call)
        for step, call in zip(made, decided.calls, strict=True)
    ]
    assert [made.status for made in stored] == ["failed", "succeeded", "failed", "succeeded"]
    error = stored[0].error
    assert (error.code, error.outcome, error.request_id) == (
        "output_too_large",
        "executed",
        "req_1",
    )
    assert error.context["path"] == "p"
    assert (await store.runs.get(opened.id, run.id)).steps == stored


@pytest.mark.parametrize(
    ("ending", "field"),
    [
        (DONE, "result"),
        (
            Ending("failed", error=SystemFault("internal", "x").problem("orchestrator", "r")),
            "error",
        ),
        (Ending("cancelled", reason="why"), "reason"),
    ],
)
async def test_progress_keeps_and_tells_every_ending(store, leased, ending, field):
    """The run and the last event say the same."""
    lease = await leased()
    await store.progress.finish(lease, ending)
    run = await store.runs.get(lease.session.id, lease.run.id)
    last = (await store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (run.status, last.type) == (ending.status, f"run.{ending.status}")
    assert run.finished_at is not None
    assert field in last.data


async def test_progress_keeps_what_came_of_a_step_from_a_start_that_arrives_late(store, leased):
    """A connection that was given up may still deliver what was sent again over another one."""
    lease = await leased()
    begun, made = step(), step(status="succeeded", output={"x": 1})
    decided = turn(begun)
    await store.progress.record_turn(lease, decided)
    await store.progress.start_step(lease, begun, decided.calls[0])
    await store.progress.commit_step(lease, made, decided.calls[0])
    await store.progress.start_step(lease, begun, decided.calls[0])
    await store.progress.commit_step(lease, made, decided.calls[0])
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert [step.status for step in run.steps] == ["succeeded"]
    types = await event_types(store, lease.session.id)
    assert (types.count("step.started"), types.count("step.succeeded")) == (1, 1)


async def test_progress_takes_no_write_for_a_repetition_that_did_not_fit(redis):
    """Nothing was stored of it: sent again, it is told the same."""
    store = make_store(redis, "test", StoreConfig(max_run_output=10))
    opened = await store.sessions.create("ann", None, {}, None)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    made = step(1, status="succeeded", output={"x": "a" * 60})
    outcomes = [await store.progress._commit(lease, made, call_of(made), 60) for _ in range(2)]
    assert outcomes == ["full", "full"]
