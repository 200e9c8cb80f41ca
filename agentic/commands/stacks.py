"""The commands that start and end a stack: `up`, `down` and `demo`."""

import asyncio
from typing import Annotated

import typer

from agentic.commands import options
from agentic.commands.ending import ExitCode, finish, new_display
from agentic.commands.options import DataDir
from agentic.local.demo import run_demo
from agentic.local.ownership import HOST, end_owner
from agentic.local.serving import serve_until_stopped


def up(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the orchestrator; 0: a free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(help="Address of the orchestrator.")] = HOST,
    data_dir: DataDir = None,
    model: Annotated[
        str | None, typer.Option(help="The model of the llm planner, as PROVIDER:NAME.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Where an OpenAI-compatible server answers for it (openai:NAME)."
        ),
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Further ones that a run may name, comma-separated.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=2048, help="Tokens that it can read and write at once.")
    ] = None,
) -> None:
    """Start both services on this machine and keep them serving until Ctrl-C.

    A model's key is taken from ORCHESTRATOR_MODEL_API_KEY, or the provider's usual variable.
    """
    settings = options.model_settings(model, base_url, models, context)

    async def work() -> int:
        place = data_dir or options.default_data_dir()
        await serve_until_stopped(new_display(), place, port, host, settings)
        return ExitCode.SUCCEEDED

    finish(work())


def down(data_dir: DataDir = None) -> None:
    """End the stack that `agentic up` keeps serving, and wait until it has."""

    async def work() -> int:
        did_end = await asyncio.to_thread(end_owner, data_dir or options.default_data_dir())
        new_display().line("stopped" if did_end else "nothing is up")
        return ExitCode.SUCCEEDED

    finish(work())


def demo(data_dir: DataDir = None) -> None:
    """Run the main job: real files, a goal in words, a plan, and the result checked on disk."""
    finish(run_demo(new_display(), data_dir))
