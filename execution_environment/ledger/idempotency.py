"""What an id stands for: a stored result, a tombstone, or a call that its run has long passed.

Looked at before a call is staged, and again in the transaction that writes its intent: only there
is it certain that the id is free.
"""

import re
import time
from sqlite3 import Connection

from common.errors import ClientError, Problem, from_problem
from common.tools import ToolResult
from execution_environment.ledger.records import CallKey, StoredCall

DAY = 86400.0
"""Seconds."""
_CALL_OF_RUN = re.compile(r"(run_[0-9a-f]{32}):(\d{1,9}):(\d{1,9})")


def stored_call(connection: Connection, call_id: str) -> StoredCall | None:
    """Return what is stored under an id, whoever made the call."""
    row = connection.execute(
        "SELECT workspace, result, failure FROM calls WHERE id = ?", (call_id,)
    ).fetchone()
    return None if row is None else StoredCall(*row)


def stored_result(connection: Connection, key: CallKey) -> ToolResult | None:
    """Return what is stored for a call, marked as replayed; None when its id is free.

    Raises `idempotency_conflict` when the id stands for another call, `call_expired` when the call
    was given up or its result is gone, and the call's own error when it was cut short.
    """
    row = connection.execute(
        "SELECT digest, result, failure FROM calls WHERE id = ?", (key.id,)
    ).fetchone()
    if row is None:
        _require_wanted(connection, key)
        require_progress(connection, key.id)
        return None
    fingerprint, result, failure = row
    if fingerprint != key.fingerprint:
        raise ClientError("idempotency_conflict", "This id belongs to a different call")
    if failure is not None:
        raise from_problem(Problem.model_validate_json(failure))
    return ToolResult.model_validate_json(result).model_copy(update={"replayed": True})


def write_tombstone(connection: Connection, key: CallKey) -> None:
    """Remember that nobody wants a call; without a session, whoever may ask for it (no fence)."""
    connection.execute(
        "INSERT INTO abandoned VALUES (?, ?, ?, ?) ON CONFLICT (id)"
        " DO UPDATE SET fence = max(fence, excluded.fence), at = excluded.at",
        (key.id, key.session, None if key.session is None else key.fence, time.time()),
    )


def _require_wanted(connection: Connection, key: CallKey) -> None:
    """Raise `call_expired` for a call that was given up, unless by an earlier owner of its run."""
    row = connection.execute(
        "SELECT session, fence FROM abandoned WHERE id = ?", (key.id,)
    ).fetchone()
    if row is None:
        return
    session, fence = row
    if fence is None or key.session != session or key.fence <= fence:
        raise ClientError("call_expired", "The call was given up before it took effect")


def note_progress(connection: Connection, call_id: str) -> None:
    """Remember how far the run that a call belongs to has come; its time only once a day."""
    if found := _CALL_OF_RUN.fullmatch(call_id):
        run, now = found[1], time.time()
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?) ON CONFLICT (run)"
            " DO UPDATE SET step = excluded.step, call = excluded.call",
            (run, int(found[2]), int(found[3]), now),
        )
        connection.execute("UPDATE runs SET at = ? WHERE run = ? AND at < ?", (now, run, now - DAY))


def require_progress(connection: Connection, call_id: str) -> None:
    """Raise `call_expired` for a call that its run has long passed: its result is gone.

    Results are forgotten after a while; without this, a call that comes again after that would
    take effect a second time.
    """
    found = _CALL_OF_RUN.fullmatch(call_id)
    if found is None:
        return
    row = connection.execute("SELECT step, call FROM runs WHERE run = ?", (found[1],)).fetchone()
    if row is not None and (int(found[2]), int(found[3])) <= row:
        raise ClientError(
            "call_expired",
            "The run has gone past this call, and what became of it is no longer known",
            outcome="unknown",
        )


def take_progress_back(connection: Connection, call_id: str) -> None:
    """Let a call be made again that was noted a moment ago."""
    if found := _CALL_OF_RUN.fullmatch(call_id):
        connection.execute("UPDATE runs SET call = call - 1 WHERE run = ?", (found[1],))
