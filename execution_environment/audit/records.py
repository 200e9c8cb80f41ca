"""What the audit trail says of a call: who, which tool, on whose behalf, what came of it."""

import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any

from common.errors import AgenticError
from common.tools import ToolCall

EXECUTED = {"outcome": "executed", "code": None}
"""The outcome of a call that was allowed, and answered."""


def entry_of(
    call: ToolCall,
    digest: str,
    outcome: dict[str, Any],
    *,
    duration_ms: float,
    receipts: Sequence[dict[str, Any]] = (),
    changes: dict[str, Any] | None = None,
    replayed: bool = False,
) -> dict[str, Any]:
    """Return a call's entry; `digest` is of its arguments, `outcome` as `outcome_of` has it.

    `changes` are a bulk change's counts, with the hash of its list, in place of receipts.
    """
    return {
        "id": call.id,
        "fence": call.fence,
        "tool": call.tool,
        "arguments_sha256": digest,
        "dry_run": call.dry_run,
        "context": call.context.model_dump(mode="json"),
        **outcome,
        "receipts": receipts,
        "changes": changes,
        "replayed": replayed,
        "duration_ms": duration_ms,
    }


def entry_of_failure(call: ToolCall, failure: Exception, started: float) -> dict[str, Any]:
    """Return the entry of a call that was refused or failed."""
    digest = arguments_digest(call.arguments)
    return entry_of(call, digest, outcome_of(failure), duration_ms=milliseconds_since(started))


def outcome_of(failure: Exception) -> dict[str, Any]:
    """Return what became of a call that failed: unknown, where the failure does not say."""
    if isinstance(failure, AgenticError):
        return {"outcome": failure.outcome, "code": failure.code}
    return {"outcome": "unknown", "code": "internal"}


def spared(facts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null, false or empty: a fifth of a line, which says nothing."""
    kept = {}
    for key, fact in facts.items():
        if isinstance(fact, dict):
            fact = spared(fact)  # noqa: PLW2901
        if fact or not (fact is None or fact is False or isinstance(fact, (list, dict))):
            kept[key] = fact
    return kept


def arguments_digest(arguments: Any) -> str:
    """Hash a call's arguments as they were received."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def milliseconds_since(started: float) -> float:
    """Return the time since a moment of the monotonic clock, in milliseconds."""
    return round((time.monotonic() - started) * 1000, 3)
