"""How a conversation begins: the runs before, the user's instructions, the task."""

import json
from collections.abc import Sequence

from common.tools import Receipt
from orchestrator.planners.llm.context.cutting import cut
from orchestrator.planners.llm.context.marks import marked
from orchestrator.planners.protocol import EarlierRun, History, Wishes

MAX_EARLIER = 20
"""Runs that are told of."""
MAX_GOAL = 1000
MAX_ANSWER = 2000
"""Characters of an earlier run's goal, and of its answer."""
MAX_CHANGES = 20


def opening(history: History, earlier: Sequence[EarlierRun], most: int) -> str:
    """Return the first thing that is said; `most` bounds what it tells of earlier runs, in characters."""
    parts = [_earlier_runs(earlier, most), *_wishes(history.wishes), f"The task:\n{history.goal}"]
    return "\n\n".join(part for part in parts if part)


def _wishes(wishes: Wishes) -> list[str]:
    parts = []
    if wishes.workspace_instructions:
        parts.append(marked("workspace_instructions", wishes.workspace_instructions))
    if wishes.instructions:
        parts.append(f"Keep to these instructions:\n{wishes.instructions}")
    if wishes.output_schema is not None:
        schema = json.dumps(wishes.output_schema, ensure_ascii=False, separators=(",", ":"))
        parts.append(
            "When you are done, answer with JSON that matches this schema, and with nothing else:\n"
            + schema
        )
    return parts


def _earlier_runs(earlier: Sequence[EarlierRun], most: int) -> str:
    """Tell of the last runs, as many as there is room for; the oldest are left out first."""
    told: list[str] = []
    room = most
    for run in reversed(earlier):
        text = _earlier_run(run)
        room -= len(text)
        if room < 0:
            told.append("[… earlier ones are left out …]")
            break
        told.append(text)
    return marked("earlier_runs", "\n\n".join(reversed(told))) if told else ""


def _earlier_run(run: EarlierRun) -> str:
    lines = [f"Task: {cut(run.goal or '(a plan)', MAX_GOAL)}", f"It has {run.status}."]
    if run.status == "cancelled":
        lines[-1] = "It was cancelled."
    if run.changes:
        lines.append(f"Changed: {_changes(run.changes)}")
    if run.answer:
        lines.append(f"Answer: {cut(run.answer, MAX_ANSWER)}")
    return "\n".join(lines)


def _changes(changes: Sequence[Receipt]) -> str:
    shown = [f"{change.path} ({_what(change)})" for change in changes[:MAX_CHANGES]]
    more = len(changes) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _what(change: Receipt) -> str:
    if change.mode is None:
        return "removed"
    return "created" if change.created else "changed"
