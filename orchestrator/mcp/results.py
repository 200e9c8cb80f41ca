"""What came of a call, as MCP has it: the output as structure and as text, errors for the model to read."""

import json
from collections.abc import Mapping
from typing import Any

from mcp_types import CallToolResult, TextContent

from common.errors import AgenticError, Problem
from common.tools import ToolResult

RECEIPTS = "agentic-framework/receipts"
CALL = "agentic-framework/call"
"""In a result's `_meta`: what has changed, as receipts; and the call's id, and whether it is a replay."""


def succeeded(result: ToolResult) -> CallToolResult:
    """Return the answer to a call that was made."""
    meta: dict[str, Any] = {CALL: {"id": result.id, "replayed": result.replayed}}
    if result.receipts:
        meta[RECEIPTS] = [receipt.model_dump(mode="json") for receipt in result.receipts]
    return told(result.output, meta)


def told(output: Mapping[str, Any], meta: dict[str, Any] | None = None) -> CallToolResult:
    """Return an output; whoever reads no structure finds it as JSON."""
    text = json.dumps(output, ensure_ascii=False)
    return CallToolResult(
        content=[TextContent(text=text)], structured_content=dict(output), _meta=meta
    )


def failed(failure: AgenticError, request_id: str) -> CallToolResult:
    """Return the answer to a call that has failed: a model reads why, and what to do next."""
    problem = failure.problem("orchestrator", request_id)
    return CallToolResult(
        content=[TextContent(text=_in_words(failure, problem))],
        structured_content=problem.model_dump(mode="json"),
        is_error=True,
    )


def _in_words(failure: AgenticError, problem: Problem) -> str:
    fields = failure.context.fields or []
    return "\n".join(
        (
            f"{problem.code}: {problem.detail}",
            *(f"- {field.field}: {field.message}" for field in fields),
            f"Hint: {problem.hint}",
            f"Outcome: {problem.outcome}",
        )
    )
