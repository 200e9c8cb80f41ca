"""What a POST asks for: a run that is started, or an answer to one that waits; either once."""

import asyncio
from typing import Any, TypeVar

from ag_ui.core import ResumeEntry
from pydantic import BaseModel, ValidationError

from common.errors import AgenticError, ClientError, error, fields_of
from common.runs import MessageCreate
from common.sessions import Session
from orchestrator.agui.inputs import RunInput, refused, wanted_run
from orchestrator.agui.interrupts import Verdict, Waiting
from orchestrator.agui.stream import Place
from orchestrator.approvals.answers.answering import Answering
from orchestrator.routes.dependencies import Services, starter_of
from orchestrator.starting import Origin, idempotency
from orchestrator.streaming.frames import START

THREAD = "agui_thread"
"""The name in a session's metadata under which its thread is found."""
_OURS = "\0agui"
"""What keys that are made here begin with: no header can bring one."""
_PAYLOAD = "resume.0.payload"
M = TypeVar("M", bound=BaseModel)


class Door:
    """Lets one user's request for one workspace in."""

    def __init__(self, services: Services, user: str, workspace: str, origin: Origin) -> None:
        self._services = services
        self._store = services.store
        self._user = user
        self._workspace = workspace
        self._origin = origin

    async def enter(self, body: RunInput) -> tuple[Session, Place]:
        """Start what is asked for, or answer, and tell where its events are; again, nothing happens twice.

        Raises what keeps a run from being started, or an answer from being taken: for one to something
        that does not wait any more, `precondition_failed` or `invalid_state`.
        """
        return await (self._resumed(body, body.resume) if body.resume else self._started(body))

    async def _started(self, body: RunInput) -> tuple[Session, Place]:
        wanted = await asyncio.to_thread(wanted_run, body)
        await self._services.limits.count_run(self._user)
        session = await self._session(body.thread_id)
        key = f"{_OURS} {body.run_id}"
        run_id = await starter_of(self._services).start(session, wanted, self._origin, key)
        first = await self._store.events.first_seq(session.id, run_id)
        return session, Place(session.id, run_id, START.not_before(first))

    async def _session(self, thread_id: str) -> Session:
        """Return the thread's session: it is opened by the first request, and kept by each."""
        key = f"{_OURS} {self._workspace} {thread_id}", THREAD
        metadata = {THREAD: thread_id}
        return await self._store.sessions.create(self._user, self._workspace, metadata, None, key)

    async def _resumed(self, body: RunInput, entries: list[ResumeEntry]) -> tuple[Session, Place]:
        if len(entries) > 1:
            raise refused("resume", "has to answer the one interrupt that there is")
        [entry] = entries
        waiting = Waiting.parse(entry.interrupt_id)
        session = await self._store.sessions.get(waiting.session_id, self._user)
        if (session.workspace, session.metadata.get(THREAD)) != (self._workspace, body.thread_id):
            raise ClientError("run_not_found", f"There is no run '{waiting.run_id}' in this thread")
        if entry.status == "cancelled":
            await self._abandon(waiting)
        else:
            await self._answer(session, waiting, entry.payload)
        return session, Place(session.id, waiting.run_id, waiting.cursor)

    async def _answer(self, session: Session, waiting: Waiting, payload: Any) -> None:
        if waiting.kind == "approval":
            said = {"approved": payload} if isinstance(payload, bool) else payload
            answer = _read(Verdict, said).as_answer()
            answering = Answering(self._store.reviews)
            await answering.answer(session, waiting.run_id, waiting.revision, answer)
            return
        message = _read(MessageCreate, {"text": payload} if isinstance(payload, str) else payload)
        await self._store.messages.send(
            session.id,
            waiting.run_id,
            message.text,
            idempotency(f"{_OURS} {waiting}", message),
            user_id=session.user_id,
            answers=waiting.revision,
        )

    async def _abandon(self, waiting: Waiting) -> None:
        """Cancel a run whose question nobody is going to answer; one that waits no more stays."""
        run = await self._store.runs.get(waiting.session_id, waiting.run_id)
        kept = run.plan_revision if waiting.kind == "approval" else run.revision
        waits = run.status == f"awaiting_{waiting.kind}" and kept == waiting.revision
        if not waits and run.status != "cancelled":
            raise _passed(waiting)
        await self._store.runs.cancel(waiting.session_id, waiting.run_id)


def _read(model: type[M], payload: Any) -> M:
    try:
        return model.model_validate(payload)
    except ValidationError as wrong:
        [first, *_] = fields_of(wrong)
        raise refused(f"{_PAYLOAD}.{first.field}".rstrip("."), first.message) from wrong


def _passed(waiting: Waiting) -> AgenticError:
    detail = f"Run '{waiting.run_id}' does not wait with this any more"
    return error("precondition_failed", detail, hint="Read the run to see what has become of it.")
