"""What the command prints: live steps, diffs, results and errors; plain lines off a terminal."""

import json
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from common.errors import AgenticError, Problem
from common.runs import Event, Run, Step

MAX_ARGUMENT = 60
_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def harmless(text: str) -> str:
    """Return text without control characters: a file's name or content must not steer a terminal."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text
    )


class Display:
    """Prints a run as it goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def line(self, text: str, style: str = "") -> None:
        """Print one piece of text as it is: no markup, no control characters."""
        self._console.print(Text(harmless(text), style=style), soft_wrap=True)

    def event(self, event: Event) -> None:
        """Print what an event tells."""
        if event.type == "step.started":
            self._progress(f"step {event.data['n']}: {_call(event.data)}")
        elif event.type in ("step.succeeded", "step.failed"):
            self._step(Step.model_validate(event.data))
        elif event.type == "gap":
            self.line("… some events are no longer there", "yellow")

    def close(self) -> None:
        """End the live progress."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def result(self, run: Run) -> None:
        """Print the diffs, the answer or the error of a run that has ended."""
        self.close()
        for step in run.steps:
            self._diff(str((step.output or {}).get("diff", "")))
        if run.result is not None:
            self.line(run.result.answer, "bold")
        if run.error is not None:
            self.problem(run.error)
        self.line(f"{run.status}: {len(run.steps)} steps, {_seconds(run)} ({run.id})")

    def problem(self, problem: Problem) -> None:
        """Print an error: what happened, what to do, and how to ask about it."""
        self.line(f"error: {problem.detail} [{problem.code}]", "bold red")
        self.line(f"  hint: {problem.hint}")
        for field in problem.context.get("fields") or []:  # type: ignore[union-attr]
            self.line(f"  {field['field']}: {field['message']}")  # type: ignore[index,call-overload]
        self.line(f"  request: {problem.request_id} ({problem.source}, {problem.outcome})", "dim")

    def error(self, error: AgenticError) -> None:
        """Print an error that was raised."""
        self.close()
        self.problem(error.problem("client", None))

    def _progress(self, text: str) -> None:
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(Text(harmless(text)))

    def _step(self, step: Step) -> None:
        mark, style = ("ok", "green") if step.status == "succeeded" else (step.status, "red")
        duration = f"{step.duration_ms or 0:.0f} ms"
        self.line(f"{step.n:>3}  {mark:<6} {_call(step.model_dump())}  {duration}", style)
        if step.error is not None:
            self.line(f"     {step.error.detail} [{step.error.code}]")

    def _diff(self, diff: str) -> None:
        for line in diff.splitlines():
            style = next((style for mark, style in _DIFF_STYLES if line.startswith(mark)), "")
            self.line(line, style)


def _call(step: dict[str, Any]) -> str:
    arguments = ", ".join(f"{key}={_short(value)}" for key, value in step["arguments"].items())
    return f"{step['name']}: {step['tool']}({arguments})"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_ARGUMENT else f"{text[:MAX_ARGUMENT]}…"


def _seconds(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return "not started"
    return f"{(run.finished_at - run.started_at).total_seconds():.2f} s"
