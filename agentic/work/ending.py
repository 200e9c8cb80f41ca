"""How a command does its work and ends: exit codes, and the one place where errors become lines."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

import typer

from agentic.local.ownership import StackError
from agentic.terminal.output import Output, OutputError, UnreadError, discard, unwritten
from agentic.terminal.prompt import Interrupted, Stopped
from agentic.terminal.running import until_stopped
from agentic.terminal.show import Display
from common.errors import AgenticError
from common.runs import Run


class ExitCode(IntEnum):
    """How the command ends."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    AWAITING_PERSON = 4
    UNREACHABLE = 5
    UNREAD = 128 + signal.SIGPIPE
    """As the shell tells of a program that its reader's end has ended."""


_BY_STATUS = {
    "succeeded": ExitCode.SUCCEEDED,
    "cancelled": ExitCode.CANCELLED,
    "awaiting_approval": ExitCode.AWAITING_PERSON,
    "awaiting_input": ExitCode.AWAITING_PERSON,
}
_BY_CODE = {
    **dict.fromkeys(
        (
            "invalid_request", "malformed_request", "request_too_large",
            "goal_not_understood", "invalid_plan",
        ),
        ExitCode.USAGE,
    ),
    **dict.fromkeys(
        (
            "unauthenticated", "forbidden", "unavailable", "upstream_failed", "deadline_exceeded",
            "overloaded", "rate_limited", "queue_full", "store_full",
        ),
        ExitCode.UNREACHABLE,
    ),
}  # fmt: skip
_WAYS_TO_LEAVE = (KeyboardInterrupt, Interrupted, Stopped, asyncio.CancelledError)
EXPECTED = (AgenticError, StackError, OutputError, UnreadError, OSError, *_WAYS_TO_LEAVE)
"""What ends a command in order; anything else is a fault of its own, and shows its traceback."""


def new_display(*, goes_on: bool = False, has_diffs: bool = True) -> Display:
    """Return a display of standard output; one that goes on does without its reader."""
    return Display(Output(goes_on=goes_on), has_diffs=has_diffs)


def code_of(run: Run) -> int:
    """Return the exit code that tells how a run ended."""
    return _BY_STATUS.get(run.status, ExitCode.FAILED)


def finish(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Do the work and leave with its exit code; an error is shown, never a traceback."""
    with _signals_of_work():
        try:
            code = asyncio.run(until_stopped(work))
        except EXPECTED as error:
            code = told(error)
    raise typer.Exit(code)


def told(error: BaseException) -> int:
    """Say on standard error what ended a command; return its exit code.

    Who leaves, or reads no further, knows it.
    """
    if isinstance(error, _WAYS_TO_LEAVE):
        return ExitCode.CANCELLED
    if isinstance(error, UnreadError | OutputError):
        discard()
    if isinstance(error, UnreadError):
        return ExitCode.UNREAD
    display = Display(Output(stderr=True))
    if isinstance(error, AgenticError):
        display.error(error)
        return _BY_CODE.get(error.code, ExitCode.FAILED)
    display.line(f"error: {_reason(error)}", "bold red")
    return ExitCode.FAILED


def told_unwritten(error: OSError) -> int:
    """Likewise, of standard output that failed outside of a command's work."""
    return told(unwritten(error))


def _reason(error: BaseException) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


@contextmanager
def _signals_of_work() -> Iterator[None]:
    """Have Ctrl-C cancel the work, and a connection that is gone be an error of that connection."""
    before = {signal.SIGPIPE: signal.signal(signal.SIGPIPE, signal.SIG_IGN)}
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
