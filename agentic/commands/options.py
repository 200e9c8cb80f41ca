"""The options that commands share. Nothing heavy is imported here: `--help` reads it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

LOCAL_URL = "http://127.0.0.1:8000"
LISTED = 20
"""Rows of a list that nobody has asked more of."""

Url = Annotated[str, typer.Option(envvar="AGENTIC_URL", help="Where the orchestrator listens.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="AGENTIC_API_KEY", help="The key to show.", show_default=False)
]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="AGENTIC_DATA_DIR", help="Where the stack keeps its data."),
]
Workspace = Annotated[str | None, typer.Option(help="A workspace; default: a fresh one.")]
OnWorkspace = Annotated[
    str | None, typer.Option("--workspace", metavar="NAME", help="The workspace's name.")
]
OnSession = Annotated[str | None, typer.Option("--session", metavar="ID", help="A session's id.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id; SESSION/RUN spares looking for it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, as the API has it.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to show.")]
All = Annotated[bool, typer.Option("--all", help="Show all, whatever the limit.")]
Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The directory.", exists=True, file_okay=False)
]
InDirectory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="A directory of yours to work on: it is pushed first; what the run changed is shown, and"
        " pulled when you say yes.",
    ),
]
ItsWorkspace = Annotated[
    str | None,
    typer.Option(
        "--workspace", metavar="NAME", help="Its workspace; default: the one it had the last time."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="With --dir: pull without asking.")]
NoPull = Annotated[
    bool, typer.Option("--no-pull", help="With --dir: leave the changes in the workspace.")
]
Model = Annotated[
    str | None,
    typer.Option(help="The model as PROVIDER:NAME; default: the one of the deployment."),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where an OpenAI-compatible server answers for the model (openai:NAME). The command"
        " brings up a stack of its own, and ends it again; --url is not used then.",
    ),
]
Local = Annotated[
    bool,
    typer.Option("--local", help="A stack of its own, likewise, with the provider's own address."),
]
Tools = Annotated[
    list[str] | None,
    typer.Option("--tool", metavar="NAME", help="A tool the model may use; again for more."),
]
Instructions = Annotated[str | None, typer.Option(help="What the model has to keep to.")]
BudgetTokens = Annotated[int | None, typer.Option(min=1, help="Tokens, read and written.")]
BudgetCost = Annotated[float | None, typer.Option(help="US dollars.")]
BudgetSteps = Annotated[int | None, typer.Option(min=1, max=1000, help="Tool calls.")]
BudgetSeconds = Annotated[float | None, typer.Option(help="Seconds of work.")]
Approve = Annotated[
    Literal["never", "plan", "writes", "always"] | None,
    typer.Option(
        help="What asks you first: nothing, the first turn as a whole, changes, all;"
        " default: as the deployment has it."
    ),
]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Nothing of it can change anything.")]
OutputSchema = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A JSON schema: the answer is JSON that matches it."),
]


def bound(limit: int, is_all: bool) -> int | None:
    """Return how many rows a list may have; None: any number."""
    return None if is_all else limit
