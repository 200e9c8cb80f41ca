"""What models and programs read of an outcome."""

import json

from common.errors import FieldError, ToolError
from common.tools import ToolResult
from orchestrator.mcp.results import failed, succeeded


def test_output_is_told_twice_and_receipts_apart():
    """As structure, and for whoever reads none as JSON; what has changed is no part of the tool's output."""
    result = ToolResult(id="mcp:1:1", tool="t", output={"a": "ä"}, receipts=[], duration_ms=1)
    answer = succeeded(result)
    assert answer.structured_content == json.loads(answer.content[0].text) == {"a": "ä"}
    assert answer.meta == {"agentic-framework/call": {"id": "mcp:1:1", "replayed": False}}


def test_failure_says_which_field_is_wrong_and_why():
    """A model corrects what it reads."""
    fields = [FieldError(field="path", message="Field required")]
    failure = ToolError("invalid_arguments", "Not valid: path", fields=fields)
    answer = failed(failure, "req_1")
    lines = answer.content[0].text.splitlines()
    assert lines[0] == "invalid_arguments: Not valid: path"
    assert lines[1] == "- path: Field required"
    assert lines[2].startswith("Hint: ")
    assert lines[3] == "Outcome: not_executed"
    assert answer.structured_content["request_id"] == "req_1"
    assert answer.is_error
