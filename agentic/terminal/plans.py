"""Prints the calls of a turn: what each would do to the files, and what was said of it."""

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from agentic.api.problems import shortened
from agentic.terminal.show import Display
from agentic.terminal.wording import call_in_short, in_one_line, lines_in, what_happened
from common.approvals.reviews import CallState, PlannedCall, Preview
from common.tools import Receipt

MAX_RECEIPTS = 20
"""Changes of one call that are named; of more their number is told."""
_UNSHOWN = ("Binary file ", "File ")
"""How a tool's line begins that stands for a diff; no line of a diff itself begins so."""
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
    elif call.state == "asks":
        _show_preview(display, call, call.preview or Preview())


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
    if preview.depends_on_step is not None or not (preview.diff or preview.receipts):
        _show_arguments(display, call)
    if preview.diff:
        _show_diff(display, preview.diff, preview.receipts)
    else:
        _show_receipts(display, preview.receipts)
        _show_output(display, preview.output or {})


def _show_arguments(display: Display, call: PlannedCall) -> None:
    """Print all of a call's arguments: where they are all there is to decide by, none may be cut."""
    for line in lines_in(as_json(call.arguments)):
        display.line(f"     {line}")


def _show_diff(display: Display, diff: str, receipts: Sequence[Receipt]) -> None:
    """Print a diff; of files that it only says to differ, their sizes and where to see more."""
    display.diff(diff)
    if any(line.startswith(_UNSHOWN) for line in lines_in(diff)):
        for one in [one for one in receipts if one.size is not None][:MAX_RECEIPTS]:
            display.line(f"     {in_one_line(one.path)}: {one.size} bytes")
        display.line("     [e]dit shows all of its arguments")


def _show_receipts(display: Display, receipts: Sequence[Receipt]) -> None:
    """Print changes that have no lines to show, such as of what is deleted or moved."""
    for receipt in receipts[:MAX_RECEIPTS]:
        display.line(f"     {receipt.operation} {in_one_line(receipt.path)}")
    if len(receipts) > MAX_RECEIPTS:
        display.line(f"     and {len(receipts) - MAX_RECEIPTS} more")


def _show_output(display: Display, output: Mapping[str, JsonValue]) -> None:
    """Print what else a tool would tell, such as how many entries it would delete."""
    for name, value in list(output.items())[:MAX_RECEIPTS]:
        told = json.dumps(value, ensure_ascii=False)
        display.line(f"     {in_one_line(shortened(name))}: {shortened(told)}")
