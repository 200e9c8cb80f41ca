"""The commands that look at workspaces and their files: `ls`, `cat`, `rm` and `workspaces`."""

from typing import Annotated

import typer

from agentic import work
from agentic.commands import options

Depth = Annotated[int, typer.Option(min=1, help="How many levels of directories.")]
FilePath = Annotated[str, typer.Argument(metavar="PATH", help="Relative to the workspace.")]


def ls(  # noqa: PLR0913 - typer reads the options from the parameters
    path: FilePath = ".",
    *,
    workspace: options.OnWorkspace = None,
    session: options.OnSession = None,
    depth: Depth = 1,
    limit: options.Limit = 200,
    show_all: options.All = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """List a directory of a workspace: size, when it was changed, type, path."""
    place = work.files.Place(work.target.Target(url, api_key), session, workspace)
    most = options.bound(limit, show_all)
    work.ending.finish(work.files.ls(place, path, depth=depth, limit=most, is_json=as_json))


def cat(
    path: FilePath,
    workspace: options.OnWorkspace = None,
    session: options.OnSession = None,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Print a file of a workspace: its bytes as they are, on a terminal without what steers it."""
    place = work.files.Place(work.target.Target(url, api_key), session, workspace)
    work.ending.finish(work.files.cat(place, path))


def rm(
    path: FilePath,
    workspace: options.OnWorkspace = None,
    session: options.OnSession = None,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Delete a file of a workspace, or an empty directory."""
    place = work.files.Place(work.target.Target(url, api_key), session, workspace)
    work.ending.finish(work.files.rm(place, path, is_json=as_json))


def workspaces(
    name: Annotated[str | None, typer.Argument(help="One of them.")] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it: its files, its sessions and their runs.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is deleted.")] = False,
    limit: options.Limit = options.LISTED,
    show_all: options.All = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """List your workspaces, or show or delete one: size, entries, last change, sessions."""
    target = work.target.Target(url, api_key)
    if name is None:
        if delete:
            raise typer.BadParameter("say which workspace to delete")
        most = options.bound(limit, show_all)
        work.ending.finish(work.files.workspaces(target, limit=most, is_json=as_json))
    elif not delete:
        work.ending.finish(work.files.workspace(target, name, is_json=as_json))
    else:
        work.ending.finish(work.files.delete_workspace(target, name, is_sure=yes))
