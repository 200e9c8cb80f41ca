"""A call that nobody wants any more has taken effect, or it never will."""

import asyncio
import signal

import pytest

from common.errors import AgenticError, SystemFault
from execution_environment.transactions import settlement
from execution_environment.transactions.locks import WorkspaceLocks
from tests.execution_environment.conftest import asked, tool_call
from tests.execution_environment.transactions.crashes import die_at

RUN = "run_" + "0" * 32


async def test_a_settled_call_never_takes_effect(parts, call, demo):
    """The tombstone holds even for a copy of the call that is still on its way."""
    settled = await parts.settler.settle(asked("a"))
    assert (settled.outcome, settled.result) == ("not_executed", None)
    with pytest.raises(AgenticError) as caught:
        await call("write_file", _id="a", path="x", content="1")
    assert (caught.value.code, caught.value.outcome) == ("call_expired", "not_executed")
    assert not (demo / "x").exists()


async def test_a_call_that_has_happened_is_settled_with_its_result(parts, call):
    """Whoever cancels learns what was changed."""
    result = await call("write_file", _id=f"{RUN}:1:1", path="x", content="1")
    settled = await parts.settler.settle(asked(f"{RUN}:1:1"))
    assert (settled.outcome, settled.result) == (
        "executed",
        result.model_copy(update={"replayed": True}),
    )


async def test_settling_a_change_that_was_cut_short_completes_it(assemble, data_dir, filled):
    """`executed` means that it can be seen."""
    call = tool_call("append_file", _id="a", path="file", content="more\n")
    assert die_at(data_dir, call, "committed", 1) == -signal.SIGKILL
    parts = assemble()
    assert (await parts.settler.settle(asked("a"))).outcome == "executed"
    assert (filled / "file").read_text() == "old\nmore\n"
    await parts.close()


async def test_a_change_in_staging_is_beaten_by_its_settlement(assemble, parts, demo):
    """Between staging and the intent the tombstone still wins, and says so."""
    second = assemble(observe=lambda step: step == "checked" and settle())

    def settle():
        asyncio.run_coroutine_threadsafe(parts.settler.settle(asked("a")), loop).result(timeout=10)

    loop = asyncio.get_running_loop()
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(tool_call("write_file", _id="a", path="x", content="1"))
    await second.close()
    assert (caught.value.code, (demo / "x").exists()) == ("call_expired", False)


async def test_settlement_of_a_call_that_has_happened_never_says_that_nothing_was_changed(
    parts, call, data_dir, monkeypatch
):
    """The workspace may be kept busy for longer than anybody waits: then it is not known yet."""
    monkeypatch.setattr(settlement, "PATIENCE", 0.05)
    await call("write_file", _id="a", path="x", content="1")
    busy = WorkspaceLocks(data_dir / "state/locks").tried("local/demo")
    with busy, pytest.raises(SystemFault) as caught:
        await parts.settler.settle(asked("a"))
    assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "unknown")
    assert "nothing was changed" not in caught.value.detail
