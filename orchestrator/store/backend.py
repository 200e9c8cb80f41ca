"""What every part of the store works with: the connection, the keys, the scripts, the bounds."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError as RedisTimeoutError,
)

from common.errors import SystemFault
from orchestrator.store.formats import UnknownFormat
from orchestrator.store.keys import Keys

T = TypeVar("T")
_LUA = files("orchestrator.store") / "lua"
_PRELUDE = (_LUA / "_prelude.lua").read_text()
_UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError)
INDEX_MARGIN = timedelta(days=1)
"""How much longer than a session the indexes over sessions live."""


@dataclass(frozen=True)
class StoreConfig:
    """Bounds of the store."""

    session_ttl: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(seconds=5)
    max_attempts: int = 5
    """Acquires since the last committed step, after which a run is given up."""
    max_events: int = 10_000
    """Length of a session's event log."""
    max_waiting: int = 100
    """Runs in line behind a session's active one."""
    max_step_output: int = 256 * 1024
    max_run_output: int = 16 * 1024 * 1024
    """Bytes of stored output: more would fill the store for everybody."""


class StoreUnavailable(SystemFault):
    """The store cannot be used now (`unavailable`, `store_full`): no ending of a run, it goes on later."""


class Backend:
    """Runs commands and scripts; a Redis that is down or full is `unavailable`."""

    def __init__(self, redis: Redis, keys: Keys, config: StoreConfig) -> None:
        self.redis: Any = redis  # its commands are typed for the blocking client as well
        self.keys = keys
        self.config = config
        self._scripts: dict[str, Any] = {}

    @property
    def index_ttl(self) -> timedelta:
        """How long the indexes over sessions live after their last write."""
        return self.config.session_ttl + INDEX_MARGIN

    async def do(self, pending: Awaitable[T]) -> T:
        """Await a command or a pipeline."""
        try:
            return await pending
        except UnknownFormat as newer:
            raise StoreUnavailable(
                "unavailable", f"The session store cannot be used: {newer}"
            ) from newer
        except _UNAVAILABLE as error:
            raise StoreUnavailable("unavailable", "The session store cannot be reached") from error

    async def script(
        self,
        name: str,
        session_id: str,
        run_id: str,
        *arguments: str | int,
        ttl: timedelta | None = None,
        more_keys: tuple[str, ...] = (),
    ) -> list[Any]:
        """Run `lua/<name>.lua` on a session and one of its runs (or none, "").

        Every script returns a list: its outcome, then what belongs to that.
        """
        keys = [
            self.keys.session(session_id),
            self.keys.run(session_id, run_id),
            self.keys.steps(session_id, run_id),
            self.keys.events(session_id),
            self.keys.runs(session_id),
            self.keys.turns(session_id, run_id),
            *more_keys,
        ]
        expiry = milliseconds(ttl or self.config.session_ttl)
        head: list[str | int] = [
            expiry,
            self.config.max_events,
            self.keys.channel,
            session_id,
            run_id,
        ]
        return await self._run(name, _PRELUDE, keys, (*head, *arguments))

    async def user_script(self, name: str, key: str, *arguments: str | int) -> list[Any]:
        """Run `lua/<name>.lua`, which stands without the prelude, on one key of a user's."""
        return await self._run(name, "", [key], arguments)

    async def _run(
        self, name: str, prelude: str, keys: Sequence[str], arguments: Sequence[str | int]
    ) -> list[Any]:
        if name not in self._scripts:
            text = f"{prelude}\n{(_LUA / f'{name}.lua').read_text()}"
            self._scripts[name] = self.redis.register_script(text)
        answer: list[Any] = await self.do(self._scripts[name](keys=keys, args=arguments))
        return answer


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds, as Redis counts."""
    return int(duration / timedelta(milliseconds=1))
