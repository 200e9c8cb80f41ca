"""The `agentic` command: start the stack, run goals and plans, see what there is."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from agentic.client import AgenticClient
from agentic.demo import run_demo
from agentic.ownership import StackError, end_owner
from agentic.running import run_and_show, until_stopped
from agentic.serving import serve_until_stopped
from agentic.show import Display
from agentic.stack import HOST
from common.errors import AgenticError
from common.plans import Plan

AGENT = f"agentic-cli/{version('agentic-framework')}"


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

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Url = Annotated[str, typer.Option(envvar="AGENTIC_URL", help="Where the orchestrator listens.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="AGENTIC_API_KEY", help="The key to show.", show_default=False)
]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="AGENTIC_DATA_DIR", help="Where the stack keeps its data."),
]
LOCAL_URL = "http://127.0.0.1:8000"


def _display() -> Display:
    return Display(Console(markup=False, highlight=False, emoji=False))


def _finish(work: Coroutine[Any, Any, int]) -> None:
    """Run the work and leave with its exit code; an error is shown, never a traceback."""
    try:
        code = asyncio.run(until_stopped(work))
    except AgenticError as error:
        _display().error(error)
        code = _BY_CODE.get(error.code, ExitCode.FAILED)
    except StackError as error:
        _display().line(str(error), "red")
        code = ExitCode.FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        code = ExitCode.CANCELLED
    raise typer.Exit(code)


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run file-working agents: plans and goals, step by step, on a stack of your own."""
    if show_version:
        sys.stdout.write(f"agentic {version('agentic-framework')}\n")
        raise typer.Exit(ExitCode.SUCCEEDED)


@app.command()
def run(
    goal: Annotated[str | None, typer.Argument(help="What to do, in words.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan as JSON; - reads stdin.")] = None,
    workspace: Annotated[
        str | None, typer.Option(help="A workspace; default: a fresh one.")
    ] = None,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Run a goal or a plan and show each step as it happens."""
    if (goal is None) == (plan is None):
        raise typer.BadParameter("give either a GOAL or --plan FILE")
    steps = None if plan is None else _read_plan(plan)

    async def work() -> int:
        async with AgenticClient(url, api_key, agent=AGENT) as client:
            ended = await run_and_show(
                client, _display(), workspace=workspace, goal=goal, plan=steps
            )
        return _BY_STATUS.get(ended.status, ExitCode.FAILED)

    _finish(work())


@app.command()
def tools(url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """List the tools that plans can use."""

    async def work() -> int:
        display = _display()
        async with AgenticClient(url, api_key, agent=AGENT) as client:
            for tool in await client.tools():
                display.line(f"{tool.name} ({tool.effect}): {tool.description}")
        return ExitCode.SUCCEEDED

    _finish(work())


@app.command()
def up(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the orchestrator; 0: a free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(help="Address of the orchestrator.")] = HOST,
    data_dir: DataDir = None,
) -> None:
    """Start both services on this machine and keep them serving until Ctrl-C."""

    async def work() -> int:
        await serve_until_stopped(_display(), data_dir or _default_data_dir(), port, host)
        return ExitCode.SUCCEEDED

    _finish(work())


@app.command()
def down(data_dir: DataDir = None) -> None:
    """End the stack that `agentic up` keeps serving, and wait until it has."""

    async def work() -> int:
        did_end = await asyncio.to_thread(end_owner, data_dir or _default_data_dir())
        _display().line("stopped" if did_end else "nothing is up")
        return ExitCode.SUCCEEDED

    _finish(work())


@app.command()
def demo(data_dir: DataDir = None) -> None:
    """Run the main job: real files, a goal in words, a plan, and the result checked on disk."""
    _finish(run_demo(_display(), data_dir))


def _read_plan(path: Path) -> Plan:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        return Plan.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise typer.BadParameter(f"{path} is not a plan: {told}") from error


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "agentic"


def main() -> None:
    """Run the command."""
    app()
