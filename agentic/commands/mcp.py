"""The command that MCP clients start: `mcp`."""

from typing import Annotated

import typer

from agentic import work
from agentic.commands import options


def mcp(
    workspace: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The workspace whose tools and files are served."),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="Serve what starts and answers runs, in all workspaces.")
    ] = False,
    data_dir: options.DataDir = None,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="AGENTIC_URL",
            help="Where the orchestrator listens; default: a local one, or a stack of its own.",
            show_default=False,
        ),
    ] = None,
    api_key: options.ApiKey = None,
) -> None:
    """Serve MCP on standard input and output, to a program that starts this command for it.

    With no --url that is done by what listens on http://127.0.0.1:8000, or where nothing does, by a stack
    that is started for it and ends with it. With --data-dir it is that directory's stack in any case.
    """
    if (workspace is None) == (not runs):
        raise typer.BadParameter("give either --workspace NAME or --runs")
    target = work.target.Target(options.LOCAL_URL if url is None else url, api_key)
    source = work.mcp.Source(workspace, target, url is not None, data_dir)
    work.ending.finish(work.mcp.serve(source))
