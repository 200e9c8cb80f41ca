"""The audit trail has every call."""

import pytest

from common.audit import AuditRecord
from common.errors import AgenticError
from execution_environment.audit import reader
from tests.execution_environment.audit.trails import RUN, SESSION


async def test_every_call_is_on_record_allowed_or_denied(parts, call, demo):
    """With the whole context, hashes before and after, and what came of it."""
    (demo / "x").write_text("1")
    await call("read_file", {"session_id": SESSION, "run_id": RUN}, path="x")
    await call("append_file", _id="b", path="x", content="2")
    await call("append_file", _id="b", path="x", content="2")
    for tool, arguments in (("read_file", {"path": "../x"}), ("nope", {}), ("read_file", {})):
        with pytest.raises(AgenticError):
            await call(tool, **arguments)
    found, following = reader.find(parts.audit_dir, reader.Query(), 100, None)
    records = [AuditRecord.model_validate(record) for record in found]
    assert following is None
    assert [(record.tool, record.outcome, record.code) for record in records] == [
        ("read_file", "executed", None),
        ("append_file", "executed", None),
        ("append_file", "executed", None),
        ("read_file", "not_executed", "path_not_allowed"),
        ("nope", "not_executed", "tool_not_found"),
        ("read_file", "not_executed", "invalid_arguments"),
    ]
    assert [record.replayed for record in records] == [False, False, True, False, False, False]
    [receipt] = records[1].receipts
    assert receipt.sha256_before != receipt.sha256_after
    assert (records[0].context.run_id, records[0].context.user_id) == (RUN, "local")
    assert records[1].arguments_sha256 == records[2].arguments_sha256
    assert records[0].arguments_sha256 != records[3].arguments_sha256
