"""Fences: the newest owner of a session that was seen; older ones are refused.

A worker that lost its run may not know it yet. Its calls carry a lower fence than those of the run's
new owner: once one of those was seen, nothing of the old owner takes effect any more. The fence is
checked again in the transaction that writes an intent, since a newer one may come in between.

Fence 0 is nobody's: what a person changes in a session's workspace comes from no run, and no new
owner of the runs makes it void.
"""

import time
from sqlite3 import Connection

from common.errors import ClientError


def require_fence(connection: Connection, session: str | None, fence: int) -> int:
    """Return the highest fence that was seen for a session, 0 for none.

    Raises `fenced` when that is a newer owner's.
    """
    row = connection.execute("SELECT fence FROM fences WHERE session = ?", (session,)).fetchone()
    highest = 0 if row is None else int(row[0])
    if session is not None and 0 < fence < highest:
        raise ClientError(
            "fenced",
            f"A newer owner of the session has been seen, with fence {highest}",
            limit=highest,
            actual=fence,
        )
    return highest


def note_fence(connection: Connection, session: str, fence: int) -> None:
    """Remember a session's fence, unless a higher one was seen."""
    connection.execute(
        "INSERT INTO fences VALUES (?, ?, ?) ON CONFLICT (session)"
        " DO UPDATE SET fence = max(fence, excluded.fence), at = excluded.at",
        (session, fence, time.time()),
    )
