"""Uploads, beside an earlier attempt."""

import pytest
from starlette.datastructures import Headers

from common.context import Limits
from common.errors import SystemFault
from execution_environment.calls.file_request import FileRequest
from execution_environment.ledger.ledger import Ledger
from tests.execution_environment.conftest import tool_call


async def test_an_upload_whose_earlier_attempt_is_taken_back_meanwhile_is_to_be_repeated(
    parts, data_dir, monkeypatch
):
    """Its content was only compared, so there is none to be put in the place."""
    monkeypatch.setattr(Ledger, "has", lambda *_: True)
    context = tool_call("x").context.model_copy(
        update={"limits": Limits(workspace_quota_bytes=100)}
    )

    async def pieces():
        yield b"y" * 200

    with pytest.raises(SystemFault) as caught:
        await parts.uploads.take(FileRequest("u", 0, "x", context), Headers({}), pieces())
    error = caught.value
    assert (error.code, error.outcome, error.retryable) == ("unavailable", "not_executed", True)
