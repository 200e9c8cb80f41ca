"""A user's places: how many runs of one user go on at the same time, and which are next.

A user's queued runs stand in a line of their own, and only as many of them as there is room for have a
wake-up in the stream: one user's five thousand do not stand between the stream and another's first.
"""

from dataclasses import dataclass

from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue.refs import RunRef


@dataclass(frozen=True)
class Line:
    """What came of a change: the server's time (ms), and the runs that workers have to be told of."""

    now: int
    to_wake: list[RunRef]
    is_near: bool
    """Whether the run that came is among the next ones, should it have to wait."""


class Places:
    """Taken before a run's lease, kept with it, freed after it; never counted, always listed."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def _keys(self, user_id: str) -> tuple[str, str, str]:
        keys = self._backend.keys
        return keys.ready(user_id), keys.woken(user_id), keys.places(user_id)

    @property
    def _bounds(self) -> tuple[int, int, int]:
        backend = self._backend
        expiry, lease = milliseconds(backend.index_ttl), milliseconds(backend.config.lease)
        return expiry, backend.config.user_concurrency, lease

    async def take(self, ref: RunRef) -> int | None:
        """Take a place for a run; return until when (server time, ms), or None when all are taken."""
        outcome, until = await self._backend.script_on(
            "take_place", self._keys(ref.user_id), *self._bounds, ref.member
        )
        return int(until) if outcome == "taken" else None

    async def change(self, user_id: str, leaving: RunRef | None, coming: RunRef | None) -> Line:
        """Free one run's place, put another in line, and say which are to be woken now.

        `coming` is among those whenever there is room for it, however often it was woken before.
        """
        now, rank, *members = await self._backend.script_on(
            "free_place",
            self._keys(user_id),
            *self._bounds,
            leaving.member if leaving else "",
            coming.member if coming else "",
            coming.made_ms if coming else 0,
        )
        is_near = 0 <= int(rank) < self._backend.config.user_concurrency
        return Line(int(now), [RunRef.parse(member) for member in members], is_near)
