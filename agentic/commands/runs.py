"""The commands that start runs and talk to them, `run`, `chat` and `answer`; and `tools`."""

from pathlib import Path
from typing import Annotated

import typer

from agentic import work
from agentic.commands import options
from agentic.commands.options import LOCAL_URL, ApiKey, AsJson, BaseUrl, DataDir, Local, Model, Url


def run(  # noqa: PLR0913 - typer reads the options from the parameters
    goal: Annotated[str | None, typer.Argument(help="What to do, in words.")] = None,
    *,
    plan: Annotated[Path | None, typer.Option(help="A plan as JSON; - reads stdin.")] = None,
    workspace: options.Workspace = None,
    directory: options.InDirectory = None,
    yes: options.Yes = False,
    no_pull: options.NoPull = False,
    approve: options.Approve = None,
    read_only: options.ReadOnly = False,
    model: Model = None,
    base_url: BaseUrl = None,
    local: Local = False,
    instructions: options.Instructions = None,
    tool: options.Tools = None,
    budget_tokens: options.BudgetTokens = None,
    budget_cost: options.BudgetCost = None,
    budget_steps: options.BudgetSteps = None,
    budget_seconds: options.BudgetSeconds = None,
    output_schema: options.OutputSchema = None,
    data_dir: DataDir = None,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Run a goal or a plan and show it live: what is said, each step, diffs, and what it took.

    At a terminal a question of the run is asked, and what --approve says; off one it is left waiting.
    """
    target = work.target.chosen(
        url, api_key, model=model, base_url=base_url, is_local=local, data_dir=data_dir
    )
    named = model if target.own is None else None
    order = work.inputs.order_of(
        work.inputs.terms_of(named, approve, is_read_only=read_only),
        goal=goal,
        plan=plan,
        instructions=instructions,
        tools=tool,
        budget=work.inputs.budget_of(
            tokens=budget_tokens, cost=budget_cost, steps=budget_steps, seconds=budget_seconds
        ),
        output_schema=output_schema,
    )
    if directory is None:
        work.ending.finish(work.runs.run(target, order, _alone(workspace, yes, no_pull)))
    here, taking = work.here.Here(target, directory, workspace), _taking(yes, no_pull)
    work.ending.finish(work.runs.run_in_directory(target, order, here, taking))


def chat(  # noqa: PLR0913 - typer reads the options from the parameters
    *,
    workspace: options.Workspace = None,
    session: Annotated[str | None, typer.Option(help="A session to go on with.")] = None,
    directory: options.InDirectory = None,
    yes: options.Yes = False,
    no_pull: options.NoPull = False,
    approve: options.Approve = None,
    read_only: options.ReadOnly = False,
    model: Model = None,
    base_url: BaseUrl = None,
    local: Local = False,
    data_dir: DataDir = None,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Talk: each line is a run in one session, which remembers. /help says what else there is.

    Off a terminal the lines are read from standard input until its end.
    """
    if session is not None and (workspace, directory) != (None, None):
        raise typer.BadParameter("a --session has its workspace already")
    target = work.target.chosen(
        url, api_key, model=model, base_url=base_url, is_local=local, data_dir=data_dir
    )
    named = model if target.own is None else None
    terms = work.inputs.terms_of(named, approve, is_read_only=read_only)
    if directory is None:
        place = _alone(workspace, yes, no_pull)
        work.ending.finish(work.runs.chat(target, place, session, terms))
    here, taking = work.here.Here(target, directory, workspace), _taking(yes, no_pull)
    work.ending.finish(work.runs.chat_in_directory(target, here, taking, terms))


def _alone(workspace: str | None, is_sure: bool, is_left: bool) -> str | None:
    """Return the workspace of runs without a directory, from which nothing is pulled."""
    if is_sure or is_left:
        raise typer.BadParameter("--yes and --no-pull say what becomes of --dir")
    return workspace


def _taking(is_sure: bool, is_left: bool) -> "work.runs.Taking":
    if is_sure and is_left:
        raise typer.BadParameter("choose one of --yes and --no-pull")
    return work.runs.Taking(is_sure, is_left)


def answer(
    run: options.RunName,
    text: Annotated[str, typer.Argument(help="The answer.")],
    as_json: AsJson = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Answer the question of a run that waits, or tell a model at work what to do from now on."""
    target = work.target.Target(url, api_key)
    work.ending.finish(work.runs.answer(target, run, text, is_json=as_json))


def tools(as_json: AsJson = False, url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """List the tools that plans can use."""
    target = work.target.Target(url, api_key)
    work.ending.finish(work.runs.tools(target, is_json=as_json))
