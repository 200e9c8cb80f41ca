"""The format of what Redis holds: looked at on each new connection, so that no command pays for it.

Format 1 had no number, format 2 no turns, format 3 no approvals: all are taken over. A program that knows
less than what is there must not touch it, also when a newer one has come while it ran.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import (
    AskError,
    ConnectionError as RedisConnectionError,
    ResponseError,
)

FORMAT = 4
"""What this program writes, and the newest that it can read."""


class UnknownFormat(RedisConnectionError):  # a store that cannot be used counts as one that is away
    """A newer program has written the data; the message says so."""


def known_format(key: str) -> Callable[[Any], Awaitable[None]]:
    """Return what redis-py calls on each new connection; it raises UnknownFormat."""

    async def connected(connection: Any) -> None:
        await connection.on_connect()
        try:
            found = await _ask(connection, "GET", key)
        except AskError:  # MOVED too: another node of the cluster holds it, and says it there
            return
        if found is None or int(found) < FORMAT:
            with suppress(ResponseError):  # full, or a replica: it is read all the same
                await _ask(connection, "SET", key, FORMAT)
        elif int(found) > FORMAT:
            raise UnknownFormat(
                f"its format is {int(found)}, and this program knows none above {FORMAT}:"
                " start the program that wrote it, or a newer one"
            )

    return connected


async def _ask(connection: Any, *command: str | int) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()
