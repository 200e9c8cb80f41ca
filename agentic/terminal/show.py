"""What the command prints: live text and steps, diffs, results, errors; plain lines off a terminal."""

from rich.console import Console
from rich.status import Status
from rich.text import Text

from agentic.terminal.wording import (
    approval_in_short,
    call_in_short,
    edit_in_short,
    how_to_answer,
    lines_in,
    lines_of,
    message_in_short,
    taken,
    what_happened,
)
from common.errors import AgenticError, Problem
from common.events.speech import LAST_ATTEMPT, Delta, Speech
from common.files.printing import harmless
from common.runs import Event, Run, Step

_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))
_WAITING = ("run.awaiting_input", "run.awaiting_approval")
_SAID = {
    "message.received": message_in_short,
    "approval.received": approval_in_short,
    "plan.replaced": edit_in_short,
}
"""What people say of a run, in short."""


class Display:
    """Prints a run: what is said as it is spoken, off a terminal each text once it is complete.

    Without `has_diffs` the diffs of its steps are left to who shows what came of all of them.
    """

    def __init__(self, console: Console, *, has_diffs: bool = True) -> None:
        self._console = console
        self._has_diffs = has_diffs
        self._status: Status | None = None
        self._speech = Speech()
        self._unsettled = ""
        """What was said since the last line: on a terminal it stands there, with its line open."""

    def line(self, text: str, style: str = "") -> None:
        """Print one piece of text as it is: no markup, no control characters."""
        self._settle()
        self._console.print(Text(harmless(text), style=style), soft_wrap=True)

    def event(self, event: Event) -> None:
        """Print what an event tells, but for what is being said (`say`)."""
        data = event.data
        if event.type == "turn.decided" and data.get("calls"):
            self._progress(f"turn {data.get('t')}: {data['calls']} calls")
        elif event.type == "step.started":
            self._progress(f"step {data.get('n')}: {call_in_short(data)}")
        elif event.type in ("step.succeeded", "step.failed"):
            self._step(Step.model_validate(data))
            self._progress("working")
        elif event.type in ("run.started", "run.resumed"):
            self._progress("working")
        else:
            self._note(event)

    def say(self, delta: Delta) -> bool:
        """Print a piece of what is being said; False where a piece before it is missing."""
        if self._speech.is_over_for(delta):
            self._begin(delta.t, delta.attempt)
        new = self._speech.take(delta)
        self._utter(new or "")
        return new is not None

    def catch_up(self, delta: Delta, so_far: str | None) -> None:
        """Print a piece and what is missing before it, out of the run's text so far."""
        self._utter(self._speech.catch_up(delta, so_far))

    def has_heard(self, t: int, size: int) -> bool:
        """Tell whether all was heard that was said in turn `t`, so many bytes; no earlier one goes on."""
        if self._speech.t < t:
            self._begin(t, 0)
        return self._speech.t > t or size in (0, self._speech.size)

    def tell(self, t: int, text: str | None) -> None:
        """Print what was not heard of a turn's text; without it, pieces that come late are all there is."""
        if text is None:
            return
        if not text.startswith(self._speech.text):
            self._begin(t, LAST_ATTEMPT)
        self._speech.attempt = LAST_ATTEMPT
        self._utter(self._speech.complete(text))

    def forget(self) -> None:
        """Start anew with what is said: another run counts its turns from 1 again."""
        self.close()
        self._speech = Speech()

    def close(self) -> None:
        """End the live progress and the line that is being spoken."""
        self._stop_progress()
        self._settle()

    def run(self, run: Run) -> None:
        """Print a run that is looked at afterwards: what it was to do, its steps, what came of it."""
        self.line(run.goal or "(a plan)", "bold")
        for step in run.steps:
            if step.status != "pending":  # or it is asked about once more
                self._step(step)
        self.result(run)

    def result(self, run: Run) -> None:
        """Print the diffs, the answer or the error of a run, and what it has taken."""
        self.close()
        for step in run.steps if self._has_diffs else ():
            self.diff(str((step.output or {}).get("diff", "")))
        if run.result is not None and run.result.answer.strip() != self._speech.text.strip():
            self.line(run.result.answer, "bold")
        if run.error is not None:
            self.problem(run.error)
        self.line(f"{run.status}: {taken(run)} ({run.id})")
        self.left_waiting(run, run.status)

    def left_waiting(self, run: Run, status: str) -> None:
        """Print how a run is answered that waits so for a person; nothing where it does not."""
        for line in how_to_answer(run, status):
            self.line(line)

    def diff(self, diff: str) -> None:
        """Print a unified diff; whatever else ends lines elsewhere is a character of its line."""
        for line in lines_in(diff):
            style = next((style for mark, style in _DIFF_STYLES if line.startswith(mark)), "")
            self.line(line, style)

    def problem(self, problem: Problem) -> None:
        """Print an error: what happened, what to do, and how to ask about it."""
        first, *lines, last = lines_of(problem)
        self.line(first, "bold red")
        for line in lines:
            self.line(line)
        self.line(last, "dim")

    def error(self, error: AgenticError) -> None:
        """Print an error that was raised."""
        self.close()
        self.problem(error.problem("client", None))

    def _note(self, event: Event) -> None:
        if event.type in _WAITING:
            self._stop_progress()
        if event.type == "run.awaiting_input":
            self.line(f"question: {event.data.get('question')}", "bold yellow")
        elif event.type in _SAID:
            self.line(_SAID[event.type](event.data), "dim")
        elif event.type == "gap":
            self.forget()
            self.line("… some events are no longer there", "yellow")

    def _begin(self, t: int, attempt: int) -> None:
        is_again = t == self._speech.t and bool(self._speech.text)
        if self._console.is_terminal and is_again:
            self.line("… broken off; the model is asked again", "yellow")
        elif is_again:
            self._unsettled = ""  # it never became complete
        self._settle()
        self._speech = Speech(t, attempt)

    def _utter(self, text: str) -> None:
        if text and self._console.is_terminal:
            self._stop_progress()
            self._console.print(Text(harmless(text)), end="", soft_wrap=True)
        self._unsettled += text

    def _settle(self) -> None:
        text, self._unsettled = self._unsettled, ""
        if self._console.is_terminal and text and not text.endswith("\n"):
            self._console.print()
        elif not self._console.is_terminal and text.strip():
            self._console.print(Text(harmless(text.strip("\n"))), soft_wrap=True)

    def _stop_progress(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _progress(self, text: str) -> None:
        if not self._console.is_terminal:
            return
        self._settle()
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(Text(harmless(text)))

    def _step(self, step: Step) -> None:
        mark, style = ("ok", "green") if step.status == "succeeded" else (step.status, "red")
        duration = f"{step.duration_ms or 0:.0f} ms"
        self.line(f"{step.n:>3}  {mark:<6} {call_in_short(step.model_dump())}  {duration}", style)
        if step.error is not None:
            self.line(f"     {what_happened(step.error)}")
