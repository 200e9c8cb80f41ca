"""All commands as one program, in the order in which its help lists them."""

import sys
from typing import Annotated

import typer

from agentic import work
from agentic.commands import approvals, directories, files, mcp, runs, stacks, watching

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for command in (
    runs.run,
    runs.chat,
    runs.answer,
    approvals.approve,
    approvals.reject,
    approvals.rules,
    directories.push,
    directories.pull,
    directories.status,
    directories.diff,
    watching.sessions,
    watching.runs,
    watching.show,
    watching.follow,
    watching.cancel,
    files.ls,
    files.cat,
    files.rm,
    files.workspaces,
    runs.tools,
    mcp.mcp,
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
        from importlib.metadata import version  # noqa: PLC0415  # it reads archives and mails

        sys.stdout.write(f"agentic {version('agentic-framework')}\n")
        raise typer.Exit


def run_app() -> int:
    """Run the command that was typed; return its exit code."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:  # of help or version: a command's work has told of its own
        return work.ending.told_unwritten(error)
    return 0
