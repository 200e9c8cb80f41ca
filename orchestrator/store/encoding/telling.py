"""What is told of a run as it goes on: the data of its events, and what is stored with them."""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from common.plans import Plan, Turn
from orchestrator.store.records import Ending, Lease, StoredTurn

EVENT_ARGUMENTS = 2048
"""Bytes of arguments that an event carries; longer ones are read in the run."""


def length(value: Mapping[str, JsonValue] | None) -> int:
    """Return the bytes of a value's JSON."""
    return len(to_json(value).encode())


def to_json(value: object) -> str:
    """Return JSON as pydantic writes it: what is stored of an event goes out as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def brief(arguments: Mapping[str, JsonValue] | None) -> Mapping[str, JsonValue] | None:
    """Return what an event carries of arguments."""
    return arguments if length(arguments) <= EVENT_ARGUMENTS else None


def decided(turn: Turn) -> str:
    """Return the data of `turn.decided`."""
    usage = None if turn.usage is None else turn.usage.model_dump()
    size = len((turn.text or "").encode(errors="replace"))
    return to_json({"t": turn.t, "calls": len(turn.calls), "text_bytes": size, "usage": usage})


def written(lease: Lease, turn: StoredTurn) -> tuple[str, int, str, str]:
    """Return a turn's JSON and its bytes, what is told of a plan that it takes over, and the document
    without that. It may be megabytes, and renewals share the loop: this is for a thread.
    """
    text, plan = turn.model_dump_json(), lease.run.plan
    if plan is None or len(turn.calls) < len(plan.steps):  # an older program has begun it
        return text, len(text.encode()), "", ""
    without_plan = lease.run.model_copy(update={"plan": None}).model_dump_json()
    return text, len(text.encode()), _planned(plan), without_plan


def _planned(plan: Plan) -> str:
    """Return the event's data: the plan, of a long one the names and tools only."""
    text = plan.model_dump_json()
    if len(text) > EVENT_ARGUMENTS:
        text = plan.model_dump_json(exclude={"steps": {"__all__": {"arguments"}}})
    return f'{{"plan":{text}}}'


def ending_fields(ending: Ending) -> tuple[str, str, str]:
    """Return the field that keeps the ending, its value, and the event's data."""
    if ending.result is not None:
        value = ending.result.model_dump_json()
        return "result", value, f'{{"result":{value}}}'
    if ending.error is not None:
        value = ending.error.model_dump_json()
        return "error", value, f'{{"error":{value}}}'
    return "reason", ending.reason or "", to_json({"reason": ending.reason})
