"""What the audit trail says of a call: who, which tool, on whose behalf, what came of it."""

import hashlib
import json
import time
from typing import Any

from common.errors import AgenticError
from common.tools import ToolCall, ToolResult


def entry_of_result(call: ToolCall, digest: str, result: ToolResult) -> dict[str, Any]:
    """Return the entry of a call that was allowed; `digest` is of its arguments."""
    return {
        **_facts(call, digest),
        "outcome": "executed",
        "code": None,
        "receipts": [receipt.model_dump(mode="json") for receipt in result.receipts],
        "replayed": result.replayed,
        "duration_ms": result.duration_ms,
    }


def entry_of_failure(call: ToolCall, failure: Exception, started: float) -> dict[str, Any]:
    """Return the entry of a call that was refused or failed."""
    return {
        **_facts(call, arguments_digest(call.arguments)),
        **outcome_of(failure),
        "receipts": [],
        "replayed": False,
        "duration_ms": milliseconds_since(started),
    }


def outcome_of(failure: Exception) -> dict[str, Any]:
    """Return what became of a call that failed: unknown, where the failure does not say."""
    if isinstance(failure, AgenticError):
        return {"outcome": failure.outcome, "code": failure.code}
    return {"outcome": "unknown", "code": "internal"}


def arguments_digest(arguments: Any) -> str:
    """Hash a call's arguments as they were received."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def milliseconds_since(started: float) -> float:
    """Return the time since a moment of the monotonic clock, in milliseconds."""
    return round((time.monotonic() - started) * 1000, 3)


def _facts(call: ToolCall, digest: str) -> dict[str, Any]:
    return {
        "id": call.id,
        "fence": call.fence,
        "tool": call.tool,
        "arguments_sha256": digest,
        "dry_run": call.dry_run,
        "context": call.context.model_dump(mode="json"),
    }
