"""Tries one task: its runs one after the other in one session, then a look at the files."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentic import AgenticClient
from bench.try_model.outcome import Outcome, Task, put
from common.errors import AgenticError
from common.runs import FINAL_STATUSES, Budget, Run

BUDGET = Budget(steps=25, seconds=1800)
"""A small machine may read the first prompt for minutes."""
GRACE = 60.0
"""Seconds that a run may take beyond its budget until it says so."""
MAX_ANSWERS = 3
"""Questions of one run that are answered; then it is cancelled."""
BACKEND_FAULTS = frozenset({"internal", "model_not_found", "model_unauthenticated"})
"""Errors that say nothing of the model: the first is the backend's, and of others none was asked."""


@dataclass(frozen=True)
class Attempt:
    """One run as it ended, and what it took. Seconds as the client saw them."""

    run: Run
    turns: int
    seconds: float

    @property
    def errors(self) -> list[str]:
        """The codes of the steps that failed."""
        return [step.error.code for step in self.run.steps if step.error is not None]


@dataclass(frozen=True)
class Trial:
    """What came of a task: its runs, what is wrong with the files, and with the backend."""

    task: Task
    attempts: Sequence[Attempt]
    wrong: Sequence[str]
    faults: Sequence[str]


async def try_task(client: AgenticClient, task: Task, workspaces: Path) -> Trial:
    """Run a task in a workspace of its own, which nothing has touched before."""
    workspace = re.sub(r"[^a-z0-9]+", "-", task.name.lower())
    root = workspaces / "local" / workspace
    root.mkdir(parents=True)
    put(root, task.files)
    attempts: list[Attempt] = []
    faults: list[str] = []
    try:
        session = await client.create_session(workspace)
        for goal in task.goals:  # what the ones before have shown stays when one breaks off
            attempt = await _attempt(client, session.id, goal, task.answer)
            attempts.append(attempt)
    except AgenticError as error:
        faults.append(f"the client was told {error}")
    except TimeoutError:
        faults.append(f"a run had not ended {GRACE:g} seconds after its time was up")
    for attempt in attempts:
        faults += _faults_of(attempt)
    answers = [attempt.run.result.answer if attempt.run.result else "" for attempt in attempts]
    outcome = Outcome(root, dict(task.files), answers or [""])
    return Trial(task, attempts, list(task.check(outcome)), faults)


async def _attempt(client: AgenticClient, session_id: str, goal: str, answer: str) -> Attempt:
    started = time.perf_counter()
    run = await client.start_run(session_id, goal=goal, planner="llm", budget=BUDGET)
    questions = 0
    async with asyncio.timeout(BUDGET.seconds + GRACE):
        async for event in client.events(session_id, run.id):
            if event.type == "run.awaiting_input":
                questions += 1
                await _answer(client, run, answer if questions <= MAX_ANSWERS else None)
    seconds = time.perf_counter() - started
    run = await client.run(session_id, run.id)
    turns = await client.turns(session_id, run.id)  # an answer is one, and no event says so
    return Attempt(run, len(turns), seconds)


async def _answer(client: AgenticClient, run: Run, answer: str | None) -> None:
    if answer is None:
        await client.cancel_run(run.session_id, run.id)
    else:
        await client.send(run.session_id, run.id, answer)


def _faults_of(attempt: Attempt) -> list[str]:
    run = attempt.run
    faults = [] if run.status in FINAL_STATUSES else [f"a run has ended as {run.status}"]
    codes = [*attempt.errors, *([run.error.code] if run.error is not None else [])]
    return faults + [f"a run was told {code}" for code in codes if code in BACKEND_FAULTS]
