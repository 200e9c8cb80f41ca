"""What fails, as the protocol has it."""

from types import SimpleNamespace

import pytest
from mcp.shared.exceptions import MCPError

from common.errors import SystemFault, ToolError
from orchestrator.mcp.faults import told_as_error, told_as_result

CONTEXT = SimpleNamespace(
    request=SimpleNamespace(state=SimpleNamespace(request_id="req_1")), method="resources/list"
)


def failing(failure):
    """Return what handles a request, and fails."""

    async def handle(*_):
        raise failure

    return handle


async def error_of(failure):
    """Return the protocol's error of a failure."""
    with pytest.raises(MCPError) as raised:
        await told_as_error(CONTEXT, failing(failure))
    return raised.value


async def test_our_errors_keep_all_that_is_known():
    """The request's id, too."""
    refused = await error_of(ToolError("path_not_allowed", "no", path="x"))
    assert refused.code == -32602
    assert (refused.data["code"], refused.data["request_id"]) == ("path_not_allowed", "req_1")
    fault = await error_of(SystemFault("unavailable", "away"))
    assert (fault.code, fault.data["retryable"]) == (-32603, True)


async def test_bug_tells_nothing_of_our_insides_but_is_logged(caplog):
    """Whoever runs the service reads it."""
    bug = await error_of(KeyError("/root/secret"))
    assert (bug.code, bug.data["code"]) == (-32603, "internal")
    assert "secret" not in f"{bug} {bug.data}"
    assert any("unforeseen" in record.getMessage() for record in caplog.records)


async def test_the_librarys_own_errors_pass():
    """They are the protocol's."""
    own = MCPError(-32601, "Method not found")
    assert await error_of(own) is own


async def test_failed_call_is_a_result():
    """A model is shown nothing else."""
    result = await told_as_result(CONTEXT, failing(ToolError("rejected", "no")))
    assert result.is_error
    assert result.structured_content["code"] == "rejected"
