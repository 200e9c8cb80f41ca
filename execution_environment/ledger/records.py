"""What the ledger is told, and tells: call keys, intents, what is stored under an id."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from common.context import ExecutionContext as Context
from common.tools import ToolResult
from execution_environment.audit.chain import Head
from execution_environment.audit.records import spared
from execution_environment.sandbox.limits import Usage

Place = tuple[str, str]
"""An intent's workspace, and its id."""


@dataclass(frozen=True)
class CallKey:
    """A call as the ledger knows it: its id (idempotency key), what that stands for, whose it is."""

    id: str
    fingerprint: str
    workspace: str
    session: str | None
    fence: int

    @property
    def place(self) -> Place:
        """Where its intent is, if it has one."""
        return self.workspace, self.id


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
    audit_entry: dict[str, Any]
    growth: Usage
    head: Head
    """The line of the audit trail after which the entry will be."""


@dataclass(frozen=True)
class OpenIntent:
    """An intent that nobody has noted as carried out yet; renames, entry and result are JSON."""

    workspace: str
    id: str
    process: str
    """Whose it is; empty when that process has disowned it."""
    renames: str
    listed: str | None
    entry: str
    result: str | None
    trail: str | None
    """The chain in which its entry is, if it has been written, and the line before: `chain:n`."""

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.workspace, self.id

    def audit_entry(self) -> dict[str, Any]:
        """Return the audit entry: what is kept of it, with what the result has."""
        entry: dict[str, Any] = json.loads(self.entry)
        if self.result is not None:
            result = json.loads(self.result)
            entry["receipts"] = result["receipts"]
            entry["changes"] = None if self.listed is None else result["output"]
        return entry


@dataclass(frozen=True)
class StoredCall:
    """What is stored under an id, as JSON: a result, or what has kept the call from one."""

    workspace: str
    result: str | None
    failure: str | None


def kept_of(audit_entry: dict[str, Any]) -> str:
    """Return what an open intent keeps of its audit entry, as JSON: its result has the rest."""
    kept = {**audit_entry, "receipts": None, "changes": None}
    return json.dumps(spared(kept), separators=(",", ":"))


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
