"""Messages from people to a run: they answer what it asks, or tell it what to do from now on."""

import secrets

from common.errors import AgenticError, error
from common.runs import Run
from orchestrator.store.backend import Backend
from orchestrator.store.encoding.telling import to_json
from orchestrator.store.keys import message_field
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.runs import RunStore
from orchestrator.store.sessions import Idempotency

MAX_UNREAD = 100
"""Messages that a run has not read yet; the answer to its question is taken all the same."""
MAX_MESSAGES = 1000
"""Messages of one run: each leaves a mark behind, by which it is known when it comes again."""


class MessageStore:
    """Sends messages to the runs of a session that the caller has checked to be the user's."""

    def __init__(self, backend: Backend, queue: Queue, runs: RunStore) -> None:
        self._backend = backend
        self._queue = queue
        self._runs = runs

    async def send(
        self,
        session_id: str,
        run_id: str,
        text: str,
        idempotency: Idempotency | None = None,
        *,
        user_id: str,
        answers: int | None = None,
    ) -> Run:
        """Put a message into a run's inbox, wake a worker if the run waits for it, return the run.

        `user_id` is the session's user; `answers` the revision of the run whose question it answers,
        where it is meant for no other one.

        Raises `run_not_found`, `invalid_state` for a run that has ended or was sent too many,
        `queue_full` while it has not read earlier ones, `idempotency_conflict`, or
        `precondition_failed` where the run does not wait with that question.
        """
        ref = RunRef(user_id, session_id, run_id)
        key, digest = idempotency or (secrets.token_hex(8), "")
        sent = (message_field(key), digest, to_json(text), MAX_UNREAD, MAX_MESSAGES)
        expected = "" if answers is None else answers
        outcome, can_start, now = await self._send(ref, *sent, 0, expected)
        if outcome == "unannounced":
            # Nobody may be left to wake a worker once the state has changed: then the reaper does.
            await self._queue.look_soon([ref], int(now))
            outcome, can_start, _ = await self._send(ref, *sent, 1, expected)
        if outcome != "sent":
            raise _passed(run_id) if outcome == "changed" else _refused(outcome, run_id)
        if can_start:
            await self._queue.offer_if_possible(ref)
        return await self._runs.get(session_id, run_id)

    async def _send(self, ref: RunRef, *arguments: str | int) -> tuple[str, int, str]:
        outcome, can_start, now = await self._backend.script(
            "send_message", ref.session_id, ref.run_id, *arguments
        )
        return outcome, can_start, now


def _refused(outcome: str, run_id: str) -> AgenticError:
    if outcome == "unread":
        return error(
            "queue_full",
            f"Run '{run_id}' has not read the {MAX_UNREAD} messages before this one",
            hint="Wait until the run has read them: it does so before its next decision.",
            limit=MAX_UNREAD,
        )
    if outcome == "too_many":
        return error(
            "invalid_state",
            f"Run '{run_id}' was sent {MAX_MESSAGES} messages, and takes no more",
            hint="Cancel it, and go on with another run of the session.",
            limit=MAX_MESSAGES,
        )
    details = {
        "run_not_found": f"There is no run '{run_id}' in this session",
        "invalid_state": f"Run '{run_id}' has ended",
        "idempotency_conflict": "This Idempotency-Key sent a different message",
    }
    return error(outcome, details[outcome])


def _passed(run_id: str) -> AgenticError:
    return error(
        "precondition_failed",
        f"Run '{run_id}' does not wait with this question any more",
        hint="Read the run: somebody has answered, or it asks something else by now.",
    )
