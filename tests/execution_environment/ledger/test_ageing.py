"""What the ledger keeps for longer than results."""

from datetime import timedelta

import pytest

from common.errors import AgenticError
from tests.execution_environment.conftest import asked, tool_call

RUN = "run_" + "0" * 32


@pytest.mark.parametrize("call_id", ["a", f"{RUN}:1:1"])
async def test_a_tombstone_outlasts_the_time_of_results(assemble, demo, call_id):
    """Its tombstone outlasts results: "it never takes effect" was the answer."""
    parts = assemble(result_ttl=timedelta(0))
    await parts.settler.settle(asked(call_id))
    parts.maintenance.run_now()
    with pytest.raises(AgenticError) as caught:
        await parts.executor.run(tool_call("write_file", _id=call_id, path="x", content="1"))
    assert (caught.value.code, (demo / "x").exists()) == ("call_expired", False)
    await parts.close()
