"""Runs as clients know them: started, read, listed, cancelled."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from json import loads

from pydantic import JsonValue

from common.errors import AgenticError, ClientError, error
from common.models import Page
from common.plans import Turn
from common.runs import FINAL_STATUSES, OnBusy, Run
from orchestrator.store.backend import Backend, StoreUnavailable
from orchestrator.store.encoding.run_records import read_run, read_turns
from orchestrator.store.encoding.spending import SPENT_FIELDS
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Fields, RunDocument, length_of, off_loop
from orchestrator.store.sessions import Idempotency, keep_listed, keep_session, newest

_DETAILS = {
    "session_not_found": "The session has just expired",
    "session_busy": "Run '{}' is active in this session",
    "queue_full": "Too many runs wait in this session",
    "idempotency_conflict": "This Idempotency-Key started a different run",
}
_LISTED = (
    *("document", "status", "revision", "created", "started", "finished", "result", "error"),
    "plan_revision",
    *SPENT_FIELDS,
)
"""What a list says of a run."""


class RunStore:
    """Runs of a session that the caller has checked to be the user's."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def create(
        self,
        document: RunDocument,
        on_busy: OnBusy,
        idempotency: Idempotency | None = None,
        *,
        user_id: str | None = None,
    ) -> str:
        """Store a run and wake a worker; return its id, or that of the same key's first run.

        `user_id` is the session's user; a caller that knows it saves asking for it.

        Raises `session_busy`, `queue_full`, `session_not_found` or `idempotency_conflict`.
        """
        session_id, run_id = document.session_id, document.id
        key, digest = idempotency or ("", "")
        keys = self._backend.keys
        ref = RunRef(user_id or await self._user_of(session_id), session_id, run_id)
        await self._queue.announce(ref)
        outcome, actual_id, can_start, keep_until, *is_due = await self._backend.script(
            "create_run",
            session_id,
            run_id,
            document.model_dump_json(),
            on_busy,
            digest,
            self._backend.config.max_waiting,
            more_keys=(keys.run_idempotency(session_id, key) if key else keys.session(session_id),),
        )
        if outcome == "created":
            await self._queue.stored(ref, int(keep_until), can_start=bool(can_start))
            if any(is_due):
                await self._keep_session(ref)
            return run_id
        await self._queue.withdraw(ref)
        if outcome in _DETAILS:
            raise error(outcome, _DETAILS[outcome].format(actual_id))
        return str(actual_id)

    async def _keep_session(self, ref: RunRef) -> None:
        """Keep a run's session; the run is stored, and where this fails the next one sees to it."""
        with suppress(StoreUnavailable):
            await keep_listed(self._backend, ref.user_id, ref.session_id)  # before it is noted
            await keep_session(self._backend, ref.session_id, ref.run_id)

    async def _user_of(self, session_id: str) -> str:
        name = self._backend.keys.session(session_id)
        user: str | None = await self._backend.do(self._backend.redis.hget(name, "user"))
        if user is None:
            raise error("session_not_found", _DETAILS["session_not_found"])
        return user

    async def get(self, session_id: str, run_id: str) -> Run:
        """Return a run with its steps; raise `run_not_found`."""
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=True)
        pipeline.hgetall(keys.run(session_id, run_id)).hgetall(keys.steps(session_id, run_id))
        pipeline.hgetall(keys.turns(session_id, run_id)).get(keys.text(session_id, run_id))
        fields, steps, turns, text = await self._backend.do(pipeline.execute())
        if not fields:
            raise _not_found(run_id)
        size = length_of(fields, steps, turns)
        return await off_loop(size, read_run, fields, steps, turns, text)

    async def status(self, session_id: str, run_id: str) -> str | None:
        """Return how far a run has come; None where there is none."""
        name = self._backend.keys.run(session_id, run_id)
        status: str | None = await self._backend.do(self._backend.redis.hget(name, "status"))
        return status

    async def turns(self, session_id: str, run_id: str) -> Sequence[Turn]:
        """Return what the run's planner has decided, turn by turn; raise `run_not_found`."""
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=True)
        pipeline.exists(keys.run(session_id, run_id)).hgetall(keys.turns(session_id, run_id))
        is_there, turns = await self._backend.do(pipeline.execute())
        if not is_there:
            raise _not_found(run_id)
        return await off_loop(length_of(turns), read_turns, turns)

    async def kept_of_step(self, session_id: str, run_id: str, n: int) -> Mapping[str, JsonValue]:
        """Return what step `n` keeps by itself, such as its output; its turn tells what is not there."""
        name = self._backend.keys.steps(session_id, run_id)
        kept = await self._backend.do(self._backend.redis.hget(name, str(n)))
        found: dict[str, JsonValue] = {} if kept is None else await off_loop(len(kept), loads, kept)
        return found

    async def text(self, session_id: str, run_id: str) -> str | None:
        """Return what the run's planner is saying, as far as it has come."""
        name = self._backend.keys.text(session_id, run_id)
        text: str | None = await self._backend.do(self._backend.redis.get(name))
        return text

    async def list(self, session_id: str, limit: int, cursor: str | None) -> Page[Run]:
        """Return the session's runs, the newest first, without their plans and steps."""
        redis, keys = self._backend.redis, self._backend.keys
        ids = await self._backend.do(newest(redis, keys.runs(session_id), limit, cursor))
        pipeline = redis.pipeline(transaction=False)
        for run_id in ids:
            pipeline.hmget(keys.run(session_id, run_id), _LISTED)
            pipeline.hlen(keys.steps(session_id, run_id))
        found = await self._backend.do(pipeline.execute())
        runs = [
            {name: value for name, value in zip(_LISTED, values, strict=True) if value is not None}
            for values in found[::2]
        ]
        return Page(
            items=await off_loop(length_of(*runs), _read_listed, runs, found[1::2]),
            next_cursor=ids[-1] if len(ids) == limit else None,
        )

    async def cancel(self, session_id: str, run_id: str) -> Run:
        """Ask a run to end; one that nobody executes ends at once, an ended one stays as it is."""
        outcome, following, user_id = await self._backend.script("cancel", session_id, run_id)
        if outcome == "run_not_found":
            raise _not_found(run_id)
        if outcome in FINAL_STATUSES:
            with suppress(StoreUnavailable):  # it has ended, and the reaper wakes the next one too
                await self._queue.hand_over(RunRef(user_id, session_id, run_id), following)
        return await self.get(session_id, run_id)


def _read_listed(runs: Sequence[Fields], steps: Sequence[int]) -> list[Run]:
    """Read runs as a list shows them, with how many steps each has made; one that has just expired is none."""
    pairs = zip(runs, steps, strict=True)
    return [
        _as_listed(read_run(fields, {}, {}), made) for fields, made in pairs if "document" in fields
    ]


def _as_listed(run: Run, steps: int) -> Run:
    usage = run.usage.model_copy(update={"steps": steps})
    return run.model_copy(update={"plan": None, "usage": usage})


def _not_found(run_id: str) -> AgenticError:
    return ClientError("run_not_found", f"There is no run '{run_id}' in this session")
