"""The commands that start and end a stack: `up`, `down` and `demo`."""

from typing import Annotated

import typer

from agentic import work
from agentic.commands.options import DataDir


def up(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the orchestrator; 0: a free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(help="Address of the orchestrator.")] = "127.0.0.1",
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
    if not host:  # to the system that is every address
        raise typer.BadParameter("--host is empty")
    settings = work.inputs.model_settings(model, base_url, models, context)
    work.ending.finish(work.stacks.up(data_dir, host, port, settings))


def down(data_dir: DataDir = None) -> None:
    """End the stack that `agentic up` keeps serving, and wait until it has."""
    work.ending.finish(work.stacks.down(data_dir))


def demo(data_dir: DataDir = None) -> None:
    """Run the main job: real files, a goal in words, a plan, and the result checked on disk."""
    work.ending.finish(work.stacks.demo(data_dir))
