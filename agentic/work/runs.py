"""What starts runs and talks to them: `run`, `chat`, `answer`; and `tools`."""

from contextlib import ExitStack

from agentic.terminal.chat import Chat
from agentic.terminal.output import Output
from agentic.terminal.prompt import Prompt, remembered
from agentic.terminal.running import Order, run_and_show
from agentic.terminal.show import Display
from agentic.work import inputs
from agentic.work.ending import ExitCode, code_of, new_display
from agentic.work.finding import find_run
from agentic.work.target import Target


async def run(target: Target, order: Order, workspace: str | None) -> int:
    """Run an order in a session of its own and show it, also when nobody reads that any more."""
    display, prompt = new_display(goes_on=True), Prompt()
    ask = prompt.answer if prompt.is_terminal else None
    async with target.client() as client:
        return code_of(await run_and_show(client, display, order, workspace=workspace, ask=ask))


async def chat(
    target: Target, workspace: str | None, session_id: str | None, model: str | None
) -> int:
    """Run line after line in one session."""
    display, prompt = new_display(goes_on=True), Prompt()
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
    path = inputs.history_file()
    try:
        kept.enter_context(remembered(path))
    except OSError as error:  # a home that cannot be written to is no reason not to talk
        display.line(f"no history: {path} cannot be used ({error.strerror})", "yellow")


async def answer(target: Target, name: str, text: str, *, is_json: bool) -> int:
    """Send a run what a person has to say."""
    async with target.client() as client:
        run = await find_run(client, name)
        told = await client.send(run.session_id, run.id, text)
    if is_json:
        Output().json(told)
    else:
        new_display().line(f"{told.status}: {told.id}")
    return ExitCode.SUCCEEDED


async def tools(target: Target, *, is_json: bool) -> int:
    """List the tools."""
    async with target.client() as client:
        known = await client.tools()
    if is_json:
        Output().json(known)
        return ExitCode.SUCCEEDED
    display = new_display()
    for tool in known:
        display.line(f"{tool.name} ({tool.effect}): {tool.description}")
    return ExitCode.SUCCEEDED
