"""The commands that look at workspaces and their files: `ls`, `cat`, `rm` and `workspaces`."""

from typing import Annotated

import typer

from agentic import work
from agentic.commands.options import (
    LISTED,
    LOCAL_URL,
    All,
    ApiKey,
    AsJson,
    Limit,
    OnSession,
    OnWorkspace,
    Url,
    bound,
)

Depth = Annotated[int, typer.Option(min=1, help="How many levels of directories.")]
FilePath = Annotated[
    str, typer.Argument(metavar="PATH", help="Relative to the workspace.")
]


def ls(  # noqa: PLR0913 - typer reads the options from the parameters
    path: FilePath = ".",
    *,
    workspace: OnWorkspace = None,
    session: OnSession = None,
    depth: Depth = 1,
    limit: Limit = 200,
    show_all: All = False,
    as_json: AsJson = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """List a directory of a workspace: size, when it was changed, type, path."""
    place = work.files.Place(work.target.Target(url, api_key), session, workspace)
    most = bound(limit, show_all)
    work.ending.finish(work.files.ls(place, path, depth=depth, limit=most, is_json=as_json))


def cat(
    path: FilePath,
    workspace: OnWorkspace = None,
    session: OnSession = None,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Print a file of a workspace: its bytes as they are, on a terminal without what steers it."""
    place = work.files.Place(work.target.Target(url, api_key), session, workspace)
    work.ending.finish(work.files.cat(place, path))


def rm(
    path: FilePath,
    workspace: OnWorkspace = None,
    session: OnSession = None,
    as_json: AsJson = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Delete a file of a workspace, or an empty directory."""
    place = work.files.Place(work.target.Target(url, api_key), session, workspace)
    work.ending.finish(work.files.rm(place, path, is_json=as_json))


def workspaces(
    name: Annotated[str | None, typer.Argument(help="One of them.")] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it with all that is in it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is deleted.")] = False,
    limit: Limit = LISTED,
    show_all: All = False,
    as_json: AsJson = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """List your workspaces, or show or delete one: size, entries, last change, sessions."""
    target = work.target.Target(url, api_key)
    if name is None:
        if delete:
            raise typer.BadParameter("say which workspace to delete")
        most = bound(limit, show_all)
        work.ending.finish(work.files.workspaces(target, limit=most, is_json=as_json))
    elif not delete:
        work.ending.finish(work.files.workspace(target, name, is_json=as_json))
    else:
        work.ending.finish(work.files.delete_workspace(target, name, is_sure=yes))
