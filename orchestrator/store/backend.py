"""What every part of the store works with: the connection, the keys, the scripts, the bounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from redis.exceptions import RedisClusterException, RedisError

from common.errors import SystemFault
from orchestrator.store.keys import Keys
from orchestrator.store.server.connection import on_one_connection
from orchestrator.store.server.faults import UNANSWERED, Faults
from orchestrator.store.server.scripts import Script

T = TypeVar("T")
COMMAND_TIMEOUT = 2.5
"""Seconds: longer than any blocking read of ours, and so short that a renewal which hangs, on a
connection that leads nowhere any more, is followed by another in the time of a lease. The bound is
here and not on the socket, where a cancellation in the middle of a command could be taken for the end
of that time."""
PATIENCE = timedelta(seconds=1)
"""How long a script is repeated for a caller that waits for an answer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
ACKNOWLEDGED_WITHIN = timedelta(seconds=1)
INDEX_MARGIN = timedelta(days=1)
"""How much longer than a session the indexes over sessions live."""


@dataclass(frozen=True)
class StoreConfig:
    """Bounds of the store."""

    session_ttl: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(seconds=5)
    max_attempts: int = 5
    """Acquires since the last committed step or park, after which a run is given up."""
    user_concurrency: int = 16
    """Runs of one user that go on at the same time."""
    max_events: int = 10_000
    """Length of a session's event log."""
    max_waiting: int = 100
    """Runs in line behind a session's active one."""
    max_step_output: int = 256 * 1024
    max_run_output: int = 16 * 1024 * 1024
    """Bytes of stored output: more would fill the store for everybody."""
    replica_acks: int = 0
    """Replicas that have to have a turn before its first effect."""


class StoreUnavailable(SystemFault):
    """The store cannot be used now (`unavailable`, `store_full`): no run ends of it, it goes on later."""

    def __init__(self, code: str, detail: str, *, may_have_acted: bool = False) -> None:
        """Take what the client is told, and whether no answer came: it may have been done."""
        super().__init__(code, detail)
        self.may_have_acted = may_have_acted


class Backend:
    """Runs commands and scripts; a Redis that is away, refuses or is full is StoreUnavailable."""

    def __init__(
        self,
        redis: Any,
        keys: Keys,
        config: StoreConfig,
        faults: Faults | None = None,
    ) -> None:
        """Take a client; `faults` is shared by those that lead to the same store."""
        self.redis: Any = redis  # its commands are typed for the blocking client as well
        self.keys = keys
        self.config = config
        self._faults = faults or Faults("Redis")

    @property
    def index_ttl(self) -> timedelta:
        """How long the indexes over sessions live after their last write."""
        return self.config.session_ttl + INDEX_MARGIN

    async def do(self, pending: Awaitable[T]) -> T:
        """Await a command or a pipeline."""
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                answer = await pending
        except (RedisError, RedisClusterException, TimeoutError) as error:
            if (fault := self._faults.of(error)) is None:
                raise
            may_have_acted = isinstance(error, UNANSWERED)
            raise StoreUnavailable(*fault, may_have_acted=may_have_acted) from error
        self._faults.passed()
        return answer

    async def repeat(
        self, attempt: Callable[[], Awaitable[T]], patience: timedelta | None = None
    ) -> T:
        """Do what bears repetition until the store takes it, for so long (None: for a moment).

        Once no answer has come to one attempt, nobody knows what has become of it: `unknown`.
        """
        deadline = time.monotonic() + (PATIENCE if patience is None else patience).total_seconds()
        pause, may_have_acted = FIRST_PAUSE, False
        while True:
            try:
                return await attempt()
            except StoreUnavailable as fault:
                may_have_acted |= fault.may_have_acted
                fault.outcome = "unknown" if may_have_acted else "not_executed"
                is_hopeless = fault.code == "store_full" and patience is None
                if is_hopeless or time.monotonic() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def script(
        self,
        name: str,
        session_id: str,
        run_id: str,
        *arguments: str | int,
        ttl: timedelta | None = None,
        more_keys: tuple[str, ...] = (),
        patience: timedelta | None = None,
        is_replicated: bool = False,
    ) -> list[Any]:
        """Run `lua/<name>.lua` on a session and one of its runs (or none, "").

        Every script returns a list: its outcome, then what belongs to that. Every script bears
        repetition: while the store is away it is repeated for `patience` (None: for a moment, and
        not at all while the store is full). With `is_replicated`, as many replicas as the
        configuration asks for have what it wrote.
        """
        keys = (
            self.keys.session(session_id),
            self.keys.run(session_id, run_id),
            self.keys.steps(session_id, run_id),
            self.keys.events(session_id),
            self.keys.runs(session_id),
            self.keys.turns(session_id, run_id),
            self.keys.text(session_id, run_id),
            self.keys.inbox(session_id, run_id),
            self.keys.reviews(session_id, run_id),
            *more_keys,
        )
        expiry = milliseconds(ttl or self.config.session_ttl)
        head = (expiry, self.config.max_events, self.keys.channel, session_id, run_id)
        script = Script(name, keys, head + arguments)
        written = self.keys.written(session_id)

        async def attempt() -> list[Any]:
            if is_replicated and self.config.replica_acks:
                return await self._replicated(script, written)
            return await self.do(script.run(self.redis))

        return await self.repeat(attempt, patience)

    async def script_on(
        self,
        name: str,
        keys: Sequence[str],
        *arguments: str | int,
        patience: timedelta | None = None,
    ) -> list[Any]:
        """Run `lua/<name>.lua`, which belongs to no session, on keys of one slot."""
        script = Script(name, tuple(keys), arguments, prelude=())
        return await self.repeat(lambda: self.do(script.run(self.redis)), patience)

    async def _replicated(self, script: Script, written: str) -> list[Any]:
        """Run a script and wait for its replicas, over one connection.

        The write in between is for a script that comes again and has nothing to write any more: the
        replicas that acknowledge it have what came before it on the same server.
        """
        wanted, patience = self.config.replica_acks, milliseconds(ACKNOWLEDGED_WITHIN)
        commands = [script.whole, ("SET", written, 1, "PX", patience), ("WAIT", wanted, patience)]
        sent = on_one_connection(self.redis, written, commands)
        answer, _, acknowledged = await self.do(sent)
        if acknowledged < wanted:
            fault = self._faults.missing(acknowledged, wanted)
            raise StoreUnavailable(*fault, may_have_acted=True)
        return list(answer)


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds, as Redis counts."""
    return int(duration / timedelta(milliseconds=1))
