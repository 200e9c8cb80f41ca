"""A run's events as AG-UI's, from one place on to where the run ends or waits for a person."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ag_ui.core import (
    PROTOCOL_VERSION,
    BaseEvent,
    CustomEvent,
    RunStartedEvent,
    StateSnapshotEvent,
)

from common.errors import Problem
from common.runs import FINAL_EVENTS, FINAL_STATUSES, Event, Run
from common.sessions import Session
from orchestrator.agui.calls import Calls
from orchestrator.agui.endings import Endings
from orchestrator.agui.inputs import OPTIONS, RunInput, ignored_tools
from orchestrator.agui.interrupts import confirmation, question
from orchestrator.agui.records import Records
from orchestrator.agui.sayings import Sayings
from orchestrator.approvals.showing import turn_plan
from orchestrator.store.store import Store
from orchestrator.streaming.frames import cursor_of

Told = Sequence[BaseEvent]
IGNORED_TOOLS = f"{OPTIONS}:ignored_tools"


class Translation:
    """Tells one stream. Whether it ends, the run's state decides: its events only say when to look."""

    def __init__(self, store: Store, session: Session, run: Run, body: RunInput) -> None:
        records = Records(store.runs, session.id, run.id)
        self._store = store
        self._session = session
        self._run = run
        self._body = body
        self._sayings = Sayings(records, run.id)
        self._calls = Calls(records)
        self._endings = Endings(body.thread_id, body.run_id, run.model)
        self.is_over = False
        """Whether the last event was told."""
        self._telling: Mapping[str, Callable[[Event], Awaitable[Told]]] = {
            "text.delta": self._sayings.piece,
            "turn.decided": self._decided,
            "step.started": self._calls.started,
            "step.succeeded": self._calls.ended,
            "step.failed": self._calls.ended,
            "run.started": self._working,
            "run.resumed": self._working,
            "run.awaiting_approval": self._asks,
            "run.awaiting_input": self._wonders,
            "gap": self._missed,
            **dict.fromkeys(FINAL_EVENTS, self._ended),
        }

    def opening(self) -> Told:
        """Return what a stream begins with; the state is that of the place where it begins."""
        tools = ignored_tools(self._body)
        return [
            RunStartedEvent(
                thread_id=self._body.thread_id,
                run_id=self._body.run_id,
                protocol_version=PROTOCOL_VERSION,
            ),
            self._state("queued"),
            *([CustomEvent(name=IGNORED_TOOLS, value=tools)] if tools else ()),
        ]

    async def of(self, event: Event) -> Told:
        """Return what an event comes to: nothing for those that AG-UI has no word for."""
        tell = self._telling.get(event.type)
        return [] if tell is None else await tell(event)

    def broken(self, problem: Problem) -> Told:
        """Return the end of a stream that cannot go on; the run can."""
        self.is_over = True
        return [*self._sayings.end(), self._endings.problem(problem)]

    async def _decided(self, event: Event) -> Told:
        self._endings.count(event.data.get("usage"))
        return await self._sayings.decided(event)

    async def _working(self, _event: Event) -> Told:
        return [self._state("running")]

    async def _asks(self, event: Event) -> Told:
        """End where the run still waits with the very plan that the event is about."""
        waiting = await self._store.reviews.get(self._session.id, self._run.id)
        is_this = event.data.get("plan_revision", waiting.revision) == waiting.revision
        if waiting.status != "awaiting_approval" or not is_this:
            return []
        plan = await asyncio.to_thread(turn_plan, waiting, {})
        interrupt = await asyncio.to_thread(confirmation, plan, cursor_of(event))
        return self._over(self._endings.waiting(interrupt), await self._current())

    async def _wonders(self, event: Event) -> Told:
        """End where the run still waits with this question; asked twice, both are the last one."""
        run = await self._current()
        if run.status != "awaiting_input" or event.data.get("question") not in (None, run.question):
            return []
        return self._over(self._endings.waiting(question(run, cursor_of(event))), run)

    async def _missed(self, event: Event) -> Told:
        """Go on where events are lost: the run may have come to its end, or to a question, meanwhile."""
        run = await self._current()
        if run.status in FINAL_STATUSES:
            return await self._ended(event)
        place = event.model_copy(update={"data": {}})
        asked = await self._asks(place) or await self._wonders(place)
        return asked or [self._state(run.status)]

    async def _ended(self, _event: Event) -> Told:
        run = await self._current()
        answer = [] if run.result is None else self._sayings.answer(run.result.answer)
        last = await asyncio.to_thread(self._endings.of, run)  # its receipts may be thousands
        return [*answer, *self._over(last, run)]

    def _over(self, last: BaseEvent, run: Run) -> Told:
        self.is_over = True
        return [*self._sayings.end(), self._state(run.status, run), last]

    async def _current(self) -> Run:
        return await self._store.runs.get(self._session.id, self._run.id)

    def _state(self, status: str, run: Run | None = None) -> BaseEvent:
        plan = self._run.plan
        return StateSnapshotEvent(
            snapshot={
                "session_id": self._session.id,
                "run_id": self._run.id,
                "workspace": self._session.workspace,
                "status": status,
                "plan": plan and [{"name": step.name, "tool": step.tool} for step in plan.steps],
                "usage": None if run is None else run.usage.model_dump(mode="json"),
            }
        )
