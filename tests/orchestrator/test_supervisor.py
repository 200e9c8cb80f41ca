"""The supervisor: parts that end before their time end the process, with their cause."""

import asyncio

from orchestrator.supervisor import Supervisor
from tests.orchestrator.fakes import until


async def test_supervisor_reports_a_part_that_fails_and_ends_the_process(caplog):
    """A worker's loop had ended for good while the process lived on, and was ready."""
    failed = []
    supervisor = Supervisor(lambda: failed.append(1))

    async def fail():
        raise ValueError("the cause")

    supervisor.start("worker", fail())
    supervisor.start("notifications", asyncio.Event().wait())
    await until(lambda: failed)
    assert supervisor.states() == {
        "worker": "it has failed, and the log says why",
        "notifications": None,
    }
    assert "the cause" in caplog.text
    await supervisor.stop(("worker",), 1.0)


async def test_supervisor_waits_for_parts_that_end_by_themselves():
    """A worker that drains gives its runs back first; the others would go on for ever."""
    failed, order = [], []
    supervisor = Supervisor(lambda: failed.append(1))
    drained = asyncio.Event()

    async def worker():
        await drained.wait()
        order.append("worker")

    async def listening():
        try:
            await asyncio.Event().wait()
        finally:
            order.append("notifications")

    supervisor.start("notifications", listening())
    supervisor.start("worker", worker())
    await asyncio.sleep(0)
    drained.set()
    await supervisor.stop(("worker",), 10.0)
    assert order == ["worker", "notifications"]
    assert supervisor.states() == {"notifications": "it has ended", "worker": "it has ended"}
    assert failed == []
