"""What the tries came to, on the terminal."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.try_model.trying import Attempt, Trial

MAX_SHOWN = 160
"""Characters of a step's arguments and of an answer."""


def show_trial(trial: Trial, console: Console) -> None:
    """Print a task: what each run did, step by step, and whether the files came out right."""
    console.print(f"\n{trial.task.name}", style="bold", markup=False)
    for goal, attempt in zip(trial.task.goals, trial.attempts, strict=False):
        console.print(f"  goal: {goal}", markup=False)
        _show_attempt(attempt, console)
    for wrong in trial.wrong:
        console.print(f"  wrong: {wrong}", style="yellow", markup=False)
    for fault in trial.faults:
        console.print(f"  BACKEND: {fault}", style="red", markup=False)
    if not trial.wrong:
        console.print("  right", style="green")


def _show_attempt(attempt: Attempt, console: Console) -> None:
    run = attempt.run
    for step in run.steps:
        arguments = json.dumps(step.arguments, ensure_ascii=False)
        end = step.error.code if step.error is not None else step.status
        line = f"    {step.n}. {step.tool} {_cut(arguments)}: {end}"
        console.print(line, markup=False, highlight=False)
    if run.result is not None:
        console.print(f"    answer: {_cut(run.result.answer)}", markup=False, highlight=False)
    if run.error is not None:
        told = f"{run.error.code}: {run.error.detail}"
        console.print(f"    error: {_cut(told)}", markup=False, highlight=False)
    used = run.usage
    took = (
        f"{attempt.turns} turns, {len(run.steps)} steps ({len(attempt.errors)} with errors),"
        f" {used.input_tokens} tokens read ({used.cached_tokens} cached),"
        f" {used.output_tokens} written, {attempt.seconds:.1f} s"
    )
    console.print(f"    {run.status}: {took}", markup=False, highlight=False)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"


def table_of(trials: Sequence[Trial], model: str) -> Table:
    """Return a line for each task, and how many came out right."""
    right = sum(not trial.wrong for trial in trials)
    table = Table(caption=f"{model}: {right} of {len(trials)} right")
    for column in ("task", "status", "turns", "steps", "errors", "tokens", "s", "files"):
        is_text = column in ("task", "status", "files")
        table.add_column(column, justify="left" if is_text else "right")
    for trial in trials:
        table.add_row(*_row(trial))
    return table


def _row(trial: Trial) -> list[str]:
    attempts = trial.attempts
    used = [attempt.run.usage for attempt in attempts]
    figures = (
        sum(attempt.turns for attempt in attempts),
        sum(len(attempt.run.steps) for attempt in attempts),
        sum(len(attempt.errors) for attempt in attempts),
        sum(usage.input_tokens + usage.output_tokens for usage in used),
        round(sum(attempt.seconds for attempt in attempts)),
    )
    statuses = ", ".join(attempt.run.status for attempt in attempts)
    files = "BACKEND" if trial.faults else "wrong" if trial.wrong else "right"
    return [trial.task.name, statuses, *map(str, figures), files]
