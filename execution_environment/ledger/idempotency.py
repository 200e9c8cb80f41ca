"""What the ledger checks before it lets a call happen, in the transaction that notes the call."""

import re
import time
from sqlite3 import Connection

from common.errors import ClientError, Problem, ToolError, from_problem
from common.tools import ToolResult
from execution_environment.ledger.records import Claim, Usage

_CALL_OF_RUN = re.compile(r"(run_[0-9a-f]{32}):(\d{1,9}):(\d{1,9})")


def stored_result(connection: Connection, claim: Claim) -> ToolResult | None:
    """Return what is stored under the claim's id, marked as replayed; None when the id is free.

    Raises `idempotency_conflict` when the id stands for another call, `call_expired` when the call
    was given up or its result is gone, and the call's own error when it was cut short.
    """
    row = connection.execute(
        "SELECT digest, result, failure FROM calls WHERE id = ?", (claim.id,)
    ).fetchone()
    if row is None:
        _require_wanted(connection, claim)
        require_progress(connection, claim.id)
        return None
    digest, result, failure = row
    if digest != claim.digest:
        raise ClientError("idempotency_conflict", "This id belongs to a different call")
    if failure is not None:
        raise from_problem(Problem.model_validate_json(failure))
    return ToolResult.model_validate_json(result).model_copy(update={"replayed": True})


def note_abandoned(connection: Connection, claim: Claim) -> None:
    """Remember that nobody wants a call; without a session, whoever may ask for it (no fence)."""
    connection.execute(
        "INSERT INTO abandoned VALUES (?, ?, ?, ?) ON CONFLICT (id)"
        " DO UPDATE SET fence = max(fence, excluded.fence), at = excluded.at",
        (claim.id, claim.session, None if claim.session is None else claim.fence, time.time()),
    )


def _require_wanted(connection: Connection, claim: Claim) -> None:
    """Raise `call_expired` for a call that was given up, unless by an earlier owner of its run."""
    row = connection.execute(
        "SELECT session, fence FROM abandoned WHERE id = ?", (claim.id,)
    ).fetchone()
    if row is None:
        return
    session, fence = row
    if fence is None or claim.session != session or claim.fence <= fence:
        raise ClientError("call_expired", "The call was given up before it took effect")


def highest_fence(connection: Connection, session: str | None) -> int:
    """Return the highest fence that was seen for a session."""
    row = connection.execute("SELECT fence FROM fences WHERE session = ?", (session,)).fetchone()
    return 0 if row is None else int(row[0])


def require_fence(claim: Claim, highest: int) -> None:
    """Raise `fenced` when a newer owner of the session has been seen."""
    if claim.session is not None and claim.fence < highest:
        raise ClientError(
            "fenced",
            f"A newer owner of the session has been seen, with fence {highest}",
            limit=highest,
            actual=claim.fence,
        )


def note_fence(connection: Connection, claim: Claim) -> None:
    """Remember the claim's fence, unless a higher one was seen."""
    connection.execute(
        "INSERT INTO fences VALUES (?, ?, ?) ON CONFLICT (session)"
        " DO UPDATE SET fence = max(fence, excluded.fence), at = excluded.at",
        (claim.session, claim.fence, time.time()),
    )


def note_progress(connection: Connection, call_id: str) -> None:
    """Remember how far the run that a call belongs to has come."""
    if found := _CALL_OF_RUN.fullmatch(call_id):
        connection.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)",
            (found[1], int(found[2]), int(found[3]), time.time()),
        )


def require_progress(connection: Connection, call_id: str) -> None:
    """Raise `call_expired` for a call that its run has long passed: its result is gone."""
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


def grow(connection: Connection, workspace: str, growth: Usage, quota: Usage) -> None:
    """Count what a change adds to its workspace; raise `quota_exceeded` where there is no room."""
    used = usage_of(connection, workspace) or Usage(0, 0)
    _require_room("bytes", used.size, growth.size, quota.size)
    _require_room("files and directories", used.entries, growth.entries, quota.entries)
    _change_usage(connection, workspace, growth.size, growth.entries)


def shrink(connection: Connection, workspace: str, growth: Usage) -> None:
    """Take back what `grow` counted."""
    _change_usage(connection, workspace, -growth.size, -growth.entries)


def _change_usage(connection: Connection, workspace: str, size: int, entries: int) -> None:
    connection.execute(
        "UPDATE usage SET size = size + ?, entries = entries + ? WHERE workspace = ?",
        (size, entries, workspace),
    )


def usage_of(connection: Connection, workspace: str) -> Usage | None:
    """Return what a workspace takes up, None while it was not counted."""
    row = connection.execute(
        "SELECT size, entries FROM usage WHERE workspace = ?", (workspace,)
    ).fetchone()
    return None if row is None else Usage(*row)


def _require_room(unit: str, used: int, more: int, quota: int) -> None:
    if more > 0 and used + more > quota:
        left = max(quota - used, 0)
        raise ToolError(
            "quota_exceeded",
            f"The workspace has room for {left} more {unit}; this takes {more}",
            limit=left,
            actual=more,
        )
