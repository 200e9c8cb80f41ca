"""Tool calls of a framework's agent: each is a run of one step, under the session's rules."""

import asyncio
import secrets
from contextlib import aclosing, suppress

from pydantic import JsonValue

from agentic.api.client import AgenticClient
from agentic.harnesses.opening import Opening
from common.approvals.reviews import Policy
from common.context import Access
from common.errors import AgenticError, ClientError, SystemFault, from_problem
from common.plans import Plan, PlanStep
from common.runs import FINAL_STATUSES, Event, Run

STEP = "call"
HELD_BACK = 5
"""Seconds that the orchestrator may hold an answer back: nearly every call has ended by then."""
PATIENCE = 300.0
"""Seconds that a person has to answer, unless a framework is given another number."""


class Calls:
    """Makes tool calls, once each, one after the other: a session has one run at a time.

    `approval` says what asks a person, where no rule does; unset: as the deployment has it.
    """

    def __init__(
        self,
        client: AgenticClient,
        opening: Opening,
        *,
        access: Access = "read_write",
        approval: Policy | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._client = client
        self._opening = opening
        self._access = access
        self._approval = approval
        self._patience = patience
        self._leaving: set[asyncio.Task[None]] = set()
        """What is still done for callers that are gone: the loop itself holds no task."""

    async def make(self, tool: str, **arguments: JsonValue) -> dict[str, JsonValue]:
        """Make a call and return its output.

        Raises AgenticError: what the tool says, `denied_by_rule` and `rejected` among it, or
        `deadline_exceeded`, with nothing done, where no person has answered in time.
        """
        return output_of(await self.run(tool, **arguments))

    async def run(self, tool: str, **arguments: JsonValue) -> Run:
        """Make a call and return its run, which has ended, well or not.

        A caller that is cancelled waits until it is known which run it leaves, and has that cancelled.
        """
        starting = asyncio.create_task(self._start(tool, arguments))
        try:
            run = await asyncio.shield(starting)
            return run if run.status in FINAL_STATUSES else await self._ended(run)
        except asyncio.CancelledError:
            leaving = asyncio.create_task(self._leave(starting))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            await asyncio.shield(leaving)
            raise

    async def _start(self, tool: str, arguments: dict[str, JsonValue]) -> Run:
        return await self._client.start_run(
            await self._opening.session(),
            plan=Plan(steps=[PlanStep(name=STEP, tool=tool, arguments=arguments)]),
            approval=self._approval,
            access=self._access,
            on_busy="enqueue",
            idempotency_key=secrets.token_hex(16),
            wait=HELD_BACK,
        )

    async def _leave(self, starting: asyncio.Task[Run]) -> None:
        """Cancel the run of a caller that is gone, who hears no error of that."""
        with suppress(AgenticError):
            run = await starting
            if run.status not in FINAL_STATUSES:
                await self._client.cancel_run(run.session_id, run.id)

    async def _ended(self, run: Run) -> Run:
        """Return the run when it has ended; one that nobody answers is cancelled.

        It would keep the session's other calls waiting, and change files when nobody expects it.
        """
        try:
            await self._follow(run)
        except TimeoutError:
            await self._client.cancel_run(run.session_id, run.id)
            ended = await self._client.wait(run.session_id, run.id)
            if ended.status == "cancelled":
                raise _unanswered(run.id, self._patience) from None
            return ended
        return await self._client.run(run.session_id, run.id)

    async def _follow(self, run: Run) -> None:
        """Wait for a run's last event; raise TimeoutError where a person keeps it waiting."""
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(None) as timer:
            async with aclosing(self._client.events(run.session_id, run.id)) as events:
                async for event in events:
                    if _asks(event):
                        timer.reschedule(clock() + self._patience)
                    elif event.type == "approval.received":
                        timer.reschedule(None)


def _asks(event: Event) -> bool:
    """Tell whether a run waits for a person; a gap may stand for the event that says so."""
    run = event.data.get("run") or {}
    return event.type == "run.awaiting_approval" or (
        event.type == "gap" and run.get("status") == "awaiting_approval"
    )


def output_of(run: Run) -> dict[str, JsonValue]:
    """Return what a run's call has given; raise what it has failed with."""
    problem = next((step.error for step in run.steps if step.error), None) or run.error
    if problem is not None:
        raise from_problem(problem)
    if run.status != "succeeded":
        raise ClientError("invalid_state", f"Run {run.id} is {run.status}: somebody has ended it")
    return run.steps[0].output or {}


def _unanswered(run_id: str, seconds: float) -> SystemFault:
    return SystemFault(
        "deadline_exceeded",
        f"Run {run_id} asked a person, who did not answer within {seconds:g} seconds",
        hint="It was cancelled, and nothing was changed. Answer such a run while it waits (`agentic "
        "approve RUN`), give it more seconds, or allow the call by a rule.",
        outcome="not_executed",
    )
