"""What the ledger is told, and tells: call keys, intents, what is stored under an id."""

import hashlib
from dataclasses import dataclass

from common.context import ExecutionContext as Context
from common.tools import ToolResult
from execution_environment.audit.chain import Head
from execution_environment.sandbox.limits import Usage


@dataclass(frozen=True)
class CallKey:
    """A call as the ledger knows it: its id (idempotency key), what that stands for, whose it is."""

    id: str
    fingerprint: str
    workspace: str
    session: str | None
    fence: int


@dataclass(frozen=True)
class Intent:
    """A change that is about to happen: what will be renamed, answered and put on record."""

    key: CallKey
    process: str
    result: ToolResult
    renames: str | None
    """None when there is nothing to rename: the call finds all as it wants it."""
    listed: str | None
    """The name of the list that has the renames, and the receipts, of a change of many files."""
    audit_entry: str
    growth: Usage
    head: Head
    """The line of the audit trail after which the entry will be."""


@dataclass(frozen=True)
class OpenIntent:
    """An intent that nobody has noted as carried out yet."""

    id: str
    process: str
    """Whose it is; empty when that process has disowned it."""
    renames: str
    listed: str | None
    audit_entry: str
    trail: str | None
    """The chain in which its entry is, if it has been written, and the line before: `chain:n`."""


@dataclass(frozen=True)
class StoredCall:
    """What is stored under an id, as JSON: a result, or what has kept the call from one."""

    workspace: str
    result: str | None
    failure: str | None


def call_key(call_id: str, fence: int, tool: str, arguments: str, context: Context) -> CallKey:
    """Return the key of a call; its fingerprint leaves out what may differ between attempts.

    `arguments` is their digest.
    """
    meaning = "\n".join((tool, arguments, context.user_id, context.allowed_paths_root))
    return CallKey(
        id=call_id,
        fingerprint=hashlib.sha256(meaning.encode()).hexdigest(),
        workspace=context.allowed_paths_root,
        session=context.session_id,
        fence=fence,
    )
