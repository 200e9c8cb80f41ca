"""The scripts of `lua/`: found by their hash, sent as a whole to a server that does not know them."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

_LUA = files("orchestrator.store") / "lua"


@dataclass(frozen=True)
class Script:
    """One script with the keys and arguments of one run of it."""

    name: str
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]
    prelude: tuple[str, ...] = ("_prelude",)
    """What stands before it: a script of a session's keys builds on what all of them do."""

    async def run(self, redis: Any) -> list[Any]:
        """Run it; a server that was started anew, or took over, has to be told the text again."""
        try:
            answer: list[Any] = await redis.evalsha(_digest(self._parts), *self._rest)
        except NoScriptError:
            answer = await redis.eval(_text(self._parts), *self._rest)
        return answer

    @property
    def whole(self) -> tuple[str | int, ...]:
        """The command that needs no earlier one."""
        return ("EVAL", _text(self._parts), *self._rest)

    @property
    def _parts(self) -> tuple[str, ...]:
        return (*self.prelude, self.name)

    @property
    def _rest(self) -> tuple[str | int, ...]:
        return (len(self.keys), *self.keys, *self.arguments)


@cache
def _text(parts: tuple[str, ...]) -> str:
    return "\n".join((_LUA / f"{part}.lua").read_text() for part in parts)


@cache
def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha1(_text(parts).encode()).hexdigest()  # noqa: S324  # what Redis names it by
