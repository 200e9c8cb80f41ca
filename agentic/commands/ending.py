"""How a command does its work and ends: exit codes, and errors that are shown."""

import asyncio
from collections.abc import Coroutine
from enum import IntEnum
from typing import Any

import typer
from rich.console import Console

from agentic.local.ownership import StackError
from agentic.terminal.prompt import Stopped
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


_BY_STATUS = {
    "succeeded": ExitCode.SUCCEEDED,
    "cancelled": ExitCode.CANCELLED,
    "awaiting_approval": ExitCode.AWAITING_PERSON,
    "awaiting_input": ExitCode.AWAITING_PERSON,
}
_BY_CODE = {
    "invalid_request": ExitCode.USAGE,
    **dict.fromkeys(
        ("unauthenticated", "forbidden", "unavailable", "upstream_failed", "deadline_exceeded"),
        ExitCode.UNREACHABLE,
    ),
}


def new_display() -> Display:
    """Return a display of standard output."""
    return Display(Console(markup=False, highlight=False, emoji=False))


def code_of(run: Run) -> int:
    """Return the exit code that tells how a run ended."""
    return _BY_STATUS.get(run.status, ExitCode.FAILED)


def finish(work: Coroutine[Any, Any, int]) -> None:
    """Do the work and leave with its exit code; an error is shown, never a traceback."""
    try:
        code = asyncio.run(until_stopped(work))
    except AgenticError as error:
        new_display().error(error)
        code = _BY_CODE.get(error.code, ExitCode.FAILED)
    except StackError as error:
        new_display().line(str(error), "red")
        code = ExitCode.FAILED
    except (KeyboardInterrupt, Stopped, asyncio.CancelledError):
        code = ExitCode.CANCELLED
    raise typer.Exit(code)
