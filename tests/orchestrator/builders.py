"""Things to put into a store, and what a test asks of one."""

import re
from datetime import timedelta

import pytest

from common.context import RequestSource
from common.errors import AgenticError
from common.ids import new_id
from common.plans import TurnCall
from common.runs import Budget, RunResult
from common.tools import Receipt
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Ending, Review, RunDocument, StoredStep, StoredTurn


async def keys_without_expiry(redis) -> list[str]:
    """Return the keys that would stay for ever, but for those that do: the format, and users' rules."""
    kept = re.compile(r"[^:]+:(format|user:\{[^{}]+\}:rules)")
    keys = [key for key in await redis.keys("*") if not kept.fullmatch(key)]
    return [key for key in keys if await redis.ttl(key) < 0]


def document(session_id, **changed) -> RunDocument:
    """Return a run to be stored."""
    return RunDocument(
        **{
            "id": new_id("run"),
            "session_id": session_id,
            "goal": "list files",
            "plan": None,
            "planner": "rules",
            "budget": Budget(),
            "request_id": "req_1",
            "request_source": RequestSource(kind="rest"),
            "traceparent": None,
            **changed,
        }
    )


def step(n=1, **changed) -> StoredStep:
    """Return a step."""
    given = {"id": new_id("stp"), "n": n, "name": f"s{n}", "tool": "t", "arguments": {}}
    return StoredStep(**{**given, "status": "running", **changed})


def turn(*calls, t=1, **more) -> StoredTurn:
    """Return a turn of these calls, each given as a step."""
    given = [step.model_dump(include={"n", "name", "tool", "arguments"}) for step in calls]
    return StoredTurn.model_validate({"t": t, "calls": given, "decided_at": 0, **more})


async def begun(store, **changed):
    """Start a run in a session of its own, and acquire it."""
    opened = await store.sessions.create("ann", None, {}, None)
    run = document(opened.id, **changed)
    await store.runs.create(run, "reject")
    await store.queue.take(RunRef(opened.user_id, opened.id, run.id))
    return await store.leases.acquire(opened.id, run.id, "worker-1")


async def taken_over(store, redis, lease):
    """Let another worker take a run over, whose owner fell silent."""
    await expire_lease(redis, lease)
    return await store.leases.acquire(lease.session.id, lease.run.id, new_id("run"))


async def send(store, lease, text, idempotency=None):
    """Send a message to the run of a lease."""
    ids = lease.session.id, lease.run.id
    return await store.messages.send(*ids, text, idempotency, user_id=lease.session.user_id)


async def ask(store, lease, t=1) -> None:
    """Have the run ask a person, and wait."""
    await store.progress.record_turn(lease, turn(t=t, question="which one?"))
    await store.leases.park(lease, "{}")


def review(*states, t=1) -> Review:
    """Return the review of a turn whose calls have these states."""
    calls = [{"n": n, "state": state} for n, state in enumerate(states, 1)]
    return Review.model_validate({"t": t, "calls": calls})


async def ask_approval(store, lease, *states, t=1, patience=None) -> None:
    """Have the run wait until a person has answered to a turn whose calls have these states."""
    states = states or ("asks",)
    calls = [step(n) for n in range(1, len(states) + 1)]
    await store.progress.record_turn(lease, turn(*calls, t=t))
    await store.leases.ask(lease, review(*states, t=t), patience)


def answer(t, *shown, **more) -> Ending:
    """Return an ending by an answer that knows these messages."""
    messages = [message.model_dump() for message in shown]
    said = turn(t=t, answer="ok", messages=messages, **more)
    return Ending("succeeded", result=RunResult(answer="ok", changes=[]), turn=said)


def call_of(made) -> TurnCall:
    """Return the call of a turn that a step makes."""
    return turn(made).calls[0]


async def event_types(store, session_id) -> list[str]:
    """Return the types of a session's events."""
    return [event.type for event in (await store.events.after(session_id, 0, 1000)).events]


def receipt(path, sha256):
    """Return the receipt of a new file; without a hash, of one that is gone."""
    if sha256 is None:
        return Receipt(
            path=path, operation="delete", created=False, sha256_before=None, sha256_after=None,
            size=None, mode=None, bytes_written=0,
        )  # fmt: skip
    return Receipt(
        path=path, operation="create", created=True, sha256_before=None, sha256_after=sha256,
        size=1, mode="0644", bytes_written=1,
    )  # fmt: skip


async def code_of(pending) -> str:
    """Return the code of the error that a call ends with."""
    with pytest.raises(AgenticError) as caught:
        await pending
    return caught.value.code


async def expire_lease(redis, lease, ago=1000):
    """Let the lease run out, as time would, that many milliseconds ago."""
    await expire_run(redis, lease.session, lease.run.id, ago)


async def expire_run(redis, session, run_id, ago=1000):
    """Let whatever lease there is of a run run out, likewise."""
    past = await server_time(redis) - ago
    await redis.hset(f"test:{{{session.id}}}:run:{run_id}", "deadline", past)
    member = RunRef(session.user_id, session.id, run_id).member
    for index in ("test:running", f"test:user:{{{session.user_id}}}:running"):
        await redis.zadd(index, {member: past}, xx=True)


async def server_time(redis) -> int:
    """Return the server's time in milliseconds."""
    seconds, microseconds = await redis.time()
    return int(seconds * 1000 + microseconds // 1000)


async def woken(store) -> list[str]:
    """Return the runs that the stream names, and empty it."""
    refs = []
    while ref := await store.queue.next("w", timedelta(milliseconds=1)):
        refs.append(ref.run_id)
    return refs


def ending_fields() -> tuple[str, ...]:
    """Return the arguments of finish.lua for a run that failed."""
    return "failed", "reason", "", "{}", "", "", "", "", ""


class DyingQueue(Queue):
    """The queue of a process that dies when it is to wake a worker; it notes what it was told before."""

    def __init__(self, backend):
        super().__init__(backend)
        self.seen = []

    async def look_soon(self, refs, now):
        """Have the reaper look, and note what the runs' states were then."""
        for ref in refs:
            key = self._backend.keys.run(ref.session_id, ref.run_id)
            self.seen.append(await self._backend.redis.hget(key, "status"))
        await super().look_soon(refs, now)

    async def offer(self, ref):
        """Die."""
        raise StoreUnavailable("unavailable", "the process is gone")


DONE = Ending("succeeded", result=RunResult(answer="ok", changes=[]))
"""The ending of a run that succeeded."""
