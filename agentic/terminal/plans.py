"""Prints the calls of a turn: what each would do to the files, and what was said of it."""

import json
from collections.abc import Sequence

from agentic.api.problems import shortened
from agentic.terminal.show import Display
from agentic.terminal.wording import call_in_short, in_one_line, what_happened
from common.approvals.reviews import CallState, PlannedCall, Preview
from common.tools import Receipt

MAX_RECEIPTS = 20
"""Changes of one call that are named; of more their number is told."""
_SHORT = {"n", "name", "tool", "arguments"}
_STYLES: dict[CallState, str] = {"asks": "bold yellow", "denied": "red", "rejected": "red"}


def show_calls(display: Display, calls: Sequence[PlannedCall]) -> None:
    """Print calls with their state, and what is to be seen of those that ask."""
    for call in calls:
        show_call(display, call)


def show_call(display: Display, call: PlannedCall) -> None:
    """Print a call in a line, and where it asks its diff, or why there is none."""
    edited = " (edited)" if call.is_edited else ""
    display.line(f"{in_short(call)}{edited}", _STYLES.get(call.state, ""))
    if call.reason:
        display.line(f"     reason: {in_one_line(shortened(call.reason))}")
    if call.state == "deferred":
        display.line("     asks when it is reached: it depends on what an earlier step gives")
    elif call.state == "asks" and call.preview is not None:
        _show_preview(display, call, call.preview)


def in_short(call: PlannedCall) -> str:
    """Return a call as the steps of a run are shown: number, state, name, tool, arguments."""
    return f"{call.n:>3}  {call.state:<8} {call_in_short(call.model_dump(include=_SHORT))}"


def as_json(arguments: object) -> str:
    """Return arguments as a person reads them, and edits them; what steers a terminal is escaped."""
    text = json.dumps(arguments, ensure_ascii=False, indent=2)
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )


def _show_preview(display: Display, call: PlannedCall, preview: Preview) -> None:
    if preview.error is not None:
        display.line(f"     {what_happened(preview.error)}", "red")
    if preview.depends_on_step is not None:
        display.line(
            f"     after step {preview.depends_on_step}, which changes the same files; with"
        )
        for line in as_json(call.arguments).splitlines():
            display.line(f"     {line}")
    if preview.diff:
        display.diff(preview.diff)
    else:
        _show_receipts(display, preview.receipts)


def _show_receipts(display: Display, receipts: Sequence[Receipt]) -> None:
    """Print changes that have no lines to show, such as of what is deleted or moved."""
    for receipt in receipts[:MAX_RECEIPTS]:
        display.line(f"     {receipt.operation} {in_one_line(receipt.path)}")
    if len(receipts) > MAX_RECEIPTS:
        display.line(f"     and {len(receipts) - MAX_RECEIPTS} more")
