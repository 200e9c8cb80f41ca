"""The commands that decide about runs: `approve`, `reject` and `rules`."""

from pathlib import Path
from typing import Annotated

import typer

from agentic import work
from agentic.commands import options

Steps = Annotated[
    list[int] | None,
    typer.Option("--step", metavar="N", min=1, help="A step's number; again for more; none: all."),
]


def approve(
    run: options.RunName,
    step: Steps = None,
    *,
    remember: Annotated[
        bool,
        typer.Option(
            "--remember",
            help="Do what is like it without asking from now on, in this session: says what.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Approve what a run waits for, as it is shown: the files are changed so, or it asks again.

    At a terminal it asks once more, unless it is to print JSON.
    """
    target = work.target.Target(url, api_key)
    work.ending.finish(
        work.approvals.approve(
            target, run, step or (), is_remembered=remember, is_sure=yes, is_json=as_json
        )
    )


def reject(
    run: options.RunName,
    step: Steps = None,
    *,
    reason: Annotated[str | None, typer.Option(help="Why not: a model is told.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Reject what a run waits for: a model is told, a plan goes on as its steps say."""
    target = work.target.Target(url, api_key)
    work.ending.finish(
        work.approvals.reject(target, run, step or (), reason=reason, is_json=as_json)
    )


def rules(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="New ones as JSON, a list or what --json prints; - reads stdin."
        ),
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = options.LOCAL_URL,
    api_key: options.ApiKey = None,
) -> None:
    """Print your rules, or replace them all: what is done without asking, asked for, or denied."""
    target = work.target.Target(url, api_key)
    work.ending.finish(work.approvals.rules(target, file, is_json=as_json))
