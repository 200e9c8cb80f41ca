"""How a stream ends: with the run, or where it waits for a person."""

from collections.abc import Sequence
from typing import Any

from ag_ui.core import (
    Interrupt,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    TokenUsage,
)

from common.errors import Problem
from common.plans import Usage
from common.runs import Run


class Endings:
    """Makes the last event of one stream; `thread_id` and `run_id` are those that the client gave."""

    def __init__(self, thread_id: str, run_id: str, model: str | None) -> None:
        self._ids = {"thread_id": thread_id, "run_id": run_id}
        self._model = model
        self._turns: list[Usage] = []

    def count(self, usage: dict[str, Any] | None) -> None:
        """Add what a turn of this stream has taken: of those before it, another stream has told."""
        if usage is not None:
            self._turns.append(Usage.model_validate(usage))

    def of(self, run: Run) -> RunFinishedEvent | RunErrorEvent:
        """Return the end of a run that has ended."""
        if run.error is not None:
            return self.problem(run.error)
        if run.result is None:
            cancelled = RunFinishedCancelledOutcome()
            return RunFinishedEvent(**self._ids, outcome=cancelled, usage=self._usage())
        return RunFinishedEvent(
            **self._ids,
            outcome=RunFinishedSuccessOutcome(),
            result=run.result.model_dump(mode="json"),
            usage=self._usage(),
        )

    def waiting(self, interrupt: Interrupt) -> RunFinishedEvent:
        """Return the end of a stream whose run waits."""
        outcome = RunFinishedInterruptOutcome(interrupts=[interrupt])
        return RunFinishedEvent(**self._ids, outcome=outcome, usage=self._usage())

    def problem(self, problem: Problem) -> RunErrorEvent:
        """Return the end of a run that has failed, or of a stream that has."""
        return RunErrorEvent(
            message=f"{problem.detail.rstrip('.')}. {problem.hint}",
            code=problem.code,
            raw_event=problem.model_dump(mode="json"),
            usage=self._usage(),
        )

    def _usage(self) -> Sequence[TokenUsage] | None:
        if not self._turns:
            return None
        read = sum(turn.input_tokens for turn in self._turns)
        written = sum(turn.output_tokens for turn in self._turns)
        return [
            TokenUsage(
                model=self._model,
                input_tokens=read,
                output_tokens=written,
                total_tokens=read + written,
                cached_input_tokens=sum(turn.cached_tokens for turn in self._turns),
            )
        ]
