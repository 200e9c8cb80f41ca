"""The commands that look at sessions and runs: `sessions`, `runs`, `show`, `follow`, `cancel`."""

from typing import Annotated

import typer

from agentic import work
from agentic.commands import options


def sessions(
    workspace: options.OnWorkspace = None,
    limit: options.Limit = options.LISTED,
    show_all: options.All = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """List your sessions, the newest first: id, workspace, when it was opened."""
    target, most = work.target.Target(url, api_key), options.bound(limit, show_all)
    work.ending.finish(work.watching.sessions(target, workspace, limit=most, is_json=as_json))


def runs(
    session: options.OnSession = None,
    workspace: options.OnWorkspace = None,
    *,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Those alone that wait for a person.")
    ] = False,
    limit: options.Limit = options.LISTED,
    show_all: options.All = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """List runs, session by session, the newest first: id, status, when it was asked for, goal."""
    target, most = work.target.Target(url, api_key), options.bound(limit, show_all)
    found = work.watching.runs(
        target, session, workspace, is_waiting=waiting, limit=most, is_json=as_json
    )
    work.ending.finish(found)


def show(
    run: options.RunName,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Show a run: its steps, its diffs, its answer or error, what it took, and what waits of it."""
    target = work.target.Target(url, api_key)
    work.ending.finish(work.watching.show(target, run, is_json=as_json))


def follow(
    run: options.RunName,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Show a run live, from its beginning to its end; leaving it lets it go on.

    At a terminal what it waits for is asked. With --json each event is a line, and a run that waits for a person is followed on.
    """
    target = work.target.Target(url, api_key)
    work.ending.finish(work.watching.follow(target, run, is_json=as_json))


def cancel(
    run: options.RunName,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Ask a run to end: no step of it begins any more."""
    target = work.target.Target(url, api_key)
    work.ending.finish(work.watching.cancel(target, run, is_json=as_json))
