"""Entries of the indexes, with what the runs' hashes and their sessions' say: the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue.refs import RunRef

_OF_RUN = ("status", "deadline", "answer_by", "patience")


@dataclass(frozen=True)
class Entry:
    """An entry of an index. Times are in ms, of the server's clock."""

    index: str
    ref: RunRef
    score: int
    status: str | None
    deadline: int
    active: str
    ttl: int
    answer_by: int | None
    patience: int

    @property
    def is_gone(self) -> bool:
        """Whether there is no such run, though its session may still count it as its active one."""
        return self.status is None and self.active != self.ref.run_id

    @property
    def is_ready(self) -> bool:
        """Whether the run could start: it is queued, and no other one of its session is ahead."""
        return self.status in (None, "queued") and self.active == self.ref.run_id

    def is_unanswered(self, now: int) -> bool:
        """Whether its person had to have answered by now."""
        return self._waits_until is not None and self._waits_until <= now

    def next_look(self, now: int) -> int:
        """Return by when its session has to be kept again, or its person to have answered."""
        keep = now + self.ttl // 2
        return keep if self._waits_until is None else min(keep, self._waits_until)

    @property
    def _waits_until(self) -> int | None:
        return self.answer_by if self.status == "awaiting_approval" else None


async def read_entries(
    backend: Backend, index: str, found: Sequence[tuple[RunRef, int]]
) -> list[Entry]:
    """Read what belongs to entries of an index, each with its score."""
    pipeline = backend.redis.pipeline(transaction=False)
    for ref, _ in found:
        pipeline.hmget(backend.keys.run(ref.session_id, ref.run_id), _OF_RUN)
        pipeline.hmget(backend.keys.session(ref.session_id), "active", "ttl")
    answers = await backend.do(pipeline.execute())
    default = milliseconds(backend.config.session_ttl)
    return [
        Entry(
            index=index,
            ref=ref,
            score=score,
            status=status,
            deadline=int(deadline or 0),
            active=active or "",
            ttl=int(ttl or default),
            answer_by=None if answer_by is None else int(answer_by),
            patience=int(patience or 0),
        )
        for (ref, score), (status, deadline, answer_by, patience), (active, ttl) in zip(
            found, answers[::2], answers[1::2], strict=True
        )
    ]
