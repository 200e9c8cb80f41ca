"""The commands that bring a directory to its workspace and back: `push`, `pull`, `status`, `diff`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agentic import work
from agentic.commands import options

CWD = Path()
Choice = Literal["theirs", "ours", "merge"]


def push(
    directory: options.Directory = CWD,
    workspace: options.ItsWorkspace = None,
    force: Annotated[
        bool, typer.Option("--force", help="Where both changed: overwrite the workspace's.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Undo what the workspace changed and nobody pulled.")
    ] = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Send what was changed in a directory to its workspace: all of it, or nothing."""
    here = _here(directory, workspace, url, api_key)
    work.ending.finish(
        work.directories.push_directory(here, force=force, reset=reset, is_json=as_json)
    )


def pull(  # noqa: PLR0913 - typer reads the options from the parameters
    directory: options.Directory = CWD,
    *,
    workspace: options.ItsWorkspace = None,
    theirs: Annotated[
        bool, typer.Option("--theirs", help="Where both changed: take the workspace's.")
    ] = False,
    ours: Annotated[
        bool, typer.Option("--ours", help="Where both changed: keep what is here.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Where both changed: merge, with marks in the text.")
    ] = False,
    give_up: Annotated[
        bool,
        typer.Option(
            "--give-up", help="End an earlier pull that cannot be finished; pull nothing."
        ),
    ] = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Take what a workspace changed into its directory, file by file; nothing where both changed."""
    here = _here(directory, workspace, url, api_key)
    asked: dict[Choice, bool] = {"theirs": theirs, "ours": ours, "merge": merge}
    choices = [choice for choice, is_asked in asked.items() if is_asked]
    if len(choices) + give_up > 1:
        raise typer.BadParameter("choose one of --theirs, --ours, --merge and --give-up")
    if give_up:
        work.ending.finish(work.directories.give_up_pull(here, is_json=as_json))
    choice = choices[0] if choices else None
    work.ending.finish(work.directories.pull_directory(here, choice=choice, is_json=as_json))


def status(
    directory: options.Directory = CWD,
    workspace: options.ItsWorkspace = None,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Tell what a push would send, what a pull would bring, and where both sides changed."""
    here = _here(directory, workspace, url, api_key)
    work.ending.finish(work.directories.show_status(here, is_json=as_json))


def diff(
    directory: options.Directory = CWD,
    workspace: options.ItsWorkspace = None,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Show what a pull would change in the directory, as unified diffs."""
    here = _here(directory, workspace, url, api_key)
    work.ending.finish(work.directories.show_diff(here, is_json=as_json))


def _here(
    directory: Path, workspace: str | None, url: str, api_key: str | None
) -> "work.here.Here":
    return work.here.Here(work.target.Target(url, api_key), directory, workspace)
