"""`make try-model`: runs real tasks with a real model, and says what came of each.

It judges the backend: the exit code is 0 when every task was run, right or wrong, and 1 when a run
ended in an internal error, or not at all.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from agentic import AgenticClient
from agentic.local.ownership import StackError
from agentic.local.stack import running_stack
from bench.try_model.outcome import Task
from bench.try_model.report import show_trial, table_of
from bench.try_model.tasks import TASKS
from bench.try_model.trying import Trial, try_task

PATIENCE = "600"
"""Seconds for the first token: a model on a small machine takes minutes to read a new prompt."""


def settings_of(model: str, base_url: str, context: int | None) -> dict[str, str]:
    """Return the orchestrator's settings for a model; raise ValueError for what names none.

    With an address, it is one of an OpenAI-compatible server, and its name may hold colons.
    """
    if not model:
        raise ValueError("it needs a model: make try-model BASE_URL=http://…/v1 MODEL=name")
    if not base_url:
        if ":" not in model:
            raise ValueError(f"name it as <provider>:{model}, or give BASE_URL=http://…/v1")
        return {"ORCHESTRATOR_MODEL": model} | _context(context)
    return {
        "ORCHESTRATOR_MODEL": model if model.startswith("openai:") else f"openai:{model}",
        "ORCHESTRATOR_MODEL_BASE_URL": base_url,
        "ORCHESTRATOR_MODEL_FIRST_TOKEN": PATIENCE,
        "ORCHESTRATOR_MODEL_API_KEY": os.environ.get("ORCHESTRATOR_MODEL_API_KEY", "none"),
    } | _context(context)


def _context(tokens: int | None) -> dict[str, str]:
    return {} if tokens is None else {"ORCHESTRATOR_MODEL_CONTEXT": str(tokens)}


async def try_all(
    tasks: Sequence[Task], settings: Mapping[str, str], console: Console
) -> list[Trial]:
    """Run the tasks one after the other on a stack of their own."""
    trials = []
    with tempfile.TemporaryDirectory(prefix="try-model-") as scratch:
        async with (
            running_stack(Path(scratch), settings=settings) as stack,
            AgenticClient(stack.url) as client,
        ):
            for task in tasks:
                trial = await try_task(client, task, stack.workspaces)
                show_trial(trial, console)
                trials.append(trial)
    return trials


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="try-model", description=__doc__)
    parser.add_argument("--model", default="", help="a name of the server's, or <provider>:<name>")
    parser.add_argument(
        "--base-url", default="", help="where an OpenAI-compatible server answers, with /v1"
    )
    parser.add_argument("--context", type=int, help="tokens that it can read and write at once")
    parser.add_argument(
        "--tasks", default="", help="words in the names of the tasks to run, comma-separated"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tasks that were asked for; return the exit code, 2 when no model was named."""
    asked = _arguments(argv)
    words = [word.strip() for word in asked.tasks.split(",")]
    tasks = [task for task in TASKS if any(word in task.name for word in words)]
    try:
        settings = settings_of(asked.model, asked.base_url, asked.context)
    except ValueError as error:
        print(f"try-model: {error}", file=sys.stderr)
        return 2
    console = Console(width=120)
    try:
        trials = asyncio.run(try_all(tasks, settings, console))
    except StackError as error:  # a setting that the orchestrator refuses, most likely
        print(f"try-model: {error}", file=sys.stderr)
        return 1
    console.print(table_of(trials, asked.model))
    return 1 if any(trial.faults for trial in trials) else 0


if __name__ == "__main__":
    sys.exit(main())
