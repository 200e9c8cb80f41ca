"""The commands that work on runs: `run`, `chat`, `answer` and `tools`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from agentic.api.client import AgenticClient
from agentic.commands import options
from agentic.commands.ending import ExitCode, code_of, finish, new_display
from agentic.commands.options import LOCAL_URL, ApiKey, BaseUrl, DataDir, Local, Model, Url
from agentic.local.stack import running_stack
from agentic.terminal.chat import Chat
from agentic.terminal.prompt import Prompt, remembered
from agentic.terminal.running import Order, run_and_show
from agentic.terminal.show import Display

AGENT = f"agentic-cli/{version('agentic-framework')}"


@dataclass(frozen=True)
class Target:
    """Where a command's runs go: an orchestrator that serves, or a stack for the command alone."""

    url: str
    api_key: str | None
    settings: dict[str, str] | None
    """Of the orchestrator of that stack; None: there is none."""
    data_dir: Path

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AgenticClient]:
        """Yield a client of it; raises StackError where the stack cannot be had."""
        async with AsyncExitStack() as stack:
            url = self.url
            if self.settings is not None:
                own = running_stack(self.data_dir, settings=self.settings)
                url = (await stack.enter_async_context(own)).url
            client = AgenticClient(url, self.api_key, agent=AGENT)
            yield await stack.enter_async_context(client)


def _target(
    url: str,
    api_key: str | None,
    model: str | None,
    base_url: str | None,
    is_local: bool,
    data_dir: Path | None,
) -> Target:
    settings = options.model_settings(model, base_url) if base_url or is_local else None
    return Target(url, api_key, settings, data_dir or options.default_data_dir())


def run(  # noqa: PLR0913 - typer reads the options from the parameters
    goal: Annotated[str | None, typer.Argument(help="What to do, in words.")] = None,
    *,
    plan: Annotated[Path | None, typer.Option(help="A plan as JSON; - reads stdin.")] = None,
    workspace: options.Workspace = None,
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

    At a terminal a question of the run is asked, and answered; off one the run is left waiting.
    """
    if (goal is None) == (plan is None):
        raise typer.BadParameter("give either a GOAL or --plan FILE")
    target = _target(url, api_key, model, base_url, local, data_dir)
    order = Order(
        goal=goal,
        plan=options.plan_of(plan),
        model=model if target.settings is None else None,
        instructions=instructions,
        tools=tuple(tool) if tool else None,
        budget=options.budget_of(
            tokens=budget_tokens, cost=budget_cost, steps=budget_steps, seconds=budget_seconds
        ),
        output_schema=options.schema_of(output_schema),
    )
    finish(_run(target, order, workspace))


async def _run(target: Target, order: Order, workspace: str | None) -> int:
    display, prompt = new_display(), Prompt()
    ask = prompt.answer if prompt.is_terminal else None
    async with target.client() as client:
        return code_of(await run_and_show(client, display, order, workspace=workspace, ask=ask))


def chat(
    workspace: options.Workspace = None,
    session: Annotated[str | None, typer.Option(help="A session to go on with.")] = None,
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
    if session is not None and workspace is not None:
        raise typer.BadParameter("a --session has its workspace already")
    target = _target(url, api_key, model, base_url, local, data_dir)
    finish(_chat(target, workspace, session, model if target.settings is None else None))


async def _chat(
    target: Target, workspace: str | None, session_id: str | None, model: str | None
) -> int:
    display, prompt = new_display(), Prompt()
    async with target.client() as client:
        if session_id is None:
            session = await client.create_session(workspace)
        else:
            session = await client.session(session_id)
        if prompt.is_terminal:
            display.line(f"workspace {session.workspace}; /help says what there is", "dim")
        with ExitStack() as kept:
            if prompt.is_terminal:
                _remember(kept, display)
            await Chat(client, display, prompt, session, model).talk()
    return ExitCode.SUCCEEDED


def _remember(kept: ExitStack, display: Display) -> None:
    path = options.history_file()
    try:
        kept.enter_context(remembered(path))
    except OSError as error:  # a home that cannot be written to is no reason not to talk
        display.line(f"no history: {path} cannot be used ({error.strerror})", "yellow")


def answer(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    run: Annotated[str, typer.Argument(help="The run's id.")],
    text: Annotated[str, typer.Argument(help="The answer.")],
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Answer the question of a run that waits, or tell a model at work what to do from now on."""

    async def work() -> int:
        async with AgenticClient(url, api_key, agent=AGENT) as client:
            told = await client.send(session, run, text)
        new_display().line(f"{told.status}: {told.id}")
        return ExitCode.SUCCEEDED

    finish(work())


def tools(url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """List the tools that plans can use."""

    async def work() -> int:
        display = new_display()
        async with AgenticClient(url, api_key, agent=AGENT) as client:
            for tool in await client.tools():
                display.line(f"{tool.name} ({tool.effect}): {tool.description}")
        return ExitCode.SUCCEEDED

    finish(work())
