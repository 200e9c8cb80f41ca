"""Turns that wait for a person: read, answered, given up when nobody answers."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from common.approvals.rules import MAX_RULES, Rule
from common.errors import AgenticError, error
from common.runs import RunStatus, Step
from orchestrator.store.backend import Backend
from orchestrator.store.encoding.run_records import read_review, read_steps, read_turns
from orchestrator.store.encoding.telling import to_json
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import (
    Fields,
    Review,
    RunDocument,
    StoredTurn,
    length_of,
    moment,
    off_loop,
)


@dataclass(frozen=True)
class WaitingTurn:
    """A run's last turn with calls, with its review, if it ever had one."""

    document: RunDocument
    status: RunStatus
    revision: int
    turn: StoredTurn | None
    review: Review | None
    steps: tuple[Step, ...]
    """Those of all turns: what has been made, and what references lead to."""
    answer_by: datetime | None
    """When the run fails for want of an answer; None where it waits for none, or for ever."""


@dataclass(frozen=True)
class Said:
    """What a person has said of a turn, and what becomes of its review by that."""

    expected: int
    """The revision of the plan that they have seen."""
    body: BaseModel
    """The request: the same one again is the same answer."""
    review: Review
    event: str
    data: dict[str, object]
    remember: Rule | None = None


class ReviewStore:
    """Reviews of the runs of a session that the caller has checked to be the user's."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def get(self, session_id: str, run_id: str) -> WaitingTurn:
        """Return the last turn of a run; raise `run_not_found`."""
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=True)
        pipeline.hgetall(keys.run(session_id, run_id)).hgetall(keys.turns(session_id, run_id))
        pipeline.hgetall(keys.steps(session_id, run_id)).hgetall(keys.reviews(session_id, run_id))
        found = await self._backend.do(pipeline.execute())
        if not found[0]:
            raise error("run_not_found", f"There is no run '{run_id}' in this session")
        return await off_loop(length_of(*found), _read, *found)

    async def say(self, session_id: str, run_id: str, said: Said, *, user_id: str) -> None:
        """Store what a person has said, and wake a worker when nothing asks any more.

        Raises `precondition_failed` where the plan is another one by now, `invalid_state` where nothing
        waits, where the time for an answer is over, or where the session remembers too many rules,
        `run_not_found`, or `output_too_large`.
        """
        ref = RunRef(user_id, session_id, run_id)
        outcome, can_start, now, revision = await self._say(ref, said, is_announced=False)
        if outcome == "unannounced":
            # Nobody may be left to wake a worker once the state has changed: then the reaper does.
            await self._queue.look_soon([ref], int(now))
            outcome, can_start, _, revision = await self._say(ref, said, is_announced=True)
        if outcome != "answered":
            raise _refused(outcome, run_id, said, int(revision))
        if can_start:
            await self._queue.offer_if_possible(ref)

    async def _say(
        self, ref: RunRef, said: Said, *, is_announced: bool
    ) -> tuple[str, int, str, str]:
        text, asking = await asyncio.to_thread(said.review.model_dump_json), said.review.asking
        remember = "" if said.remember is None else said.remember.model_dump_json()
        outcome, can_start, now, revision = await self._backend.script(
            "answer_plan",
            ref.session_id,
            ref.run_id,
            said.expected,
            await asyncio.to_thread(_digest, said.body),
            said.review.t,
            text,
            len(text.encode()),
            self._backend.config.max_run_output,
            to_json(asking) if asking else "",
            said.event,
            to_json(said.data),
            remember,
            MAX_RULES,
            int(is_announced),
        )
        return outcome, can_start, now, revision


def _digest(body: BaseModel) -> str:
    name = type(body).__name__  # an answer and a plan under the same revision are two things
    return hashlib.sha256(f"{name} {body.model_dump_json()}".encode()).hexdigest()


def _read(run: Fields, turns: Fields, steps: Fields, reviews: Fields) -> WaitingTurn:
    stored = read_turns(turns)
    is_waiting = run["status"] == "awaiting_approval"
    turn = next((turn for turn in reversed(stored) if turn.calls), None)
    return WaitingTurn(
        document=RunDocument.model_validate_json(run["document"]),
        status=run["status"],  # type: ignore[arg-type]  # what scripts write
        revision=int(run.get("plan_revision", 0)),
        turn=turn,
        review=None if turn is None else read_review(reviews, [turn]),
        steps=tuple(read_steps(Step, steps, stored)),
        answer_by=moment(run.get("answer_by")) if is_waiting else None,
    )


def _refused(outcome: str, run_id: str, said: Said, revision: int) -> AgenticError:
    if outcome == "changed" and revision:
        return error(
            "precondition_failed",
            f"The plan of run '{run_id}' has revision {revision}, and not {said.expected}",
            hint="GET the plan: somebody has answered, or edited it, or the run asks anew.",
            actual=revision,
        )
    details = {
        "run_not_found": ("run_not_found", f"There is no run '{run_id}' in this session"),
        "full": ("output_too_large", "The run cannot store what it was to do"),
        "late": ("invalid_state", f"The time to answer to the plan of run '{run_id}' is over"),
        "too_many": (
            "invalid_state",
            f"The session remembers {MAX_RULES} rules, and takes no more",
        ),
    }
    code, detail = details.get(outcome, ("invalid_state", f"Nothing of run '{run_id}' waits"))
    return error(code, detail)
