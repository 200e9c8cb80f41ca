"""The `agentic` command: start the stack, run goals and plans, talk, see what there is."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from agentic.commands import runs, stacks
from agentic.commands.ending import ExitCode

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
for command in (
    runs.run,
    runs.chat,
    runs.answer,
    runs.tools,
    stacks.up,
    stacks.down,
    stacks.demo,
):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run file-working agents: plans and goals, step by step, on a stack of your own."""
    if show_version:
        sys.stdout.write(f"agentic {version('agentic-framework')}\n")
        raise typer.Exit(ExitCode.SUCCEEDED)


def main() -> None:
    """Run the command."""
    app()
