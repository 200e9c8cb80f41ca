"""What the ledger is told: who claims which id for which call, and what is about to happen."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from common.context import ExecutionContext as Context
from common.tools import ToolResult
from execution_environment.audit.chain import Head


@dataclass(frozen=True)
class Claim:
    """A call as the ledger knows it: its id, what the id stands for, and whose it is."""

    id: str
    digest: str
    workspace: str
    session: str | None
    fence: int


@dataclass(frozen=True)
class Usage:
    """What a workspace takes up, or by how much that grows: bytes of files, and entries."""

    size: int
    entries: int


@dataclass(frozen=True)
class Intent:
    """A change that is about to happen: what will be renamed, answered and put on record."""

    claim: Claim
    process: str
    result: ToolResult
    renames: str | None
    """None when there is nothing to rename: the call finds all as it wants it."""
    record: str
    growth: Usage
    head: Head
    """The line of the audit trail after which the record will be."""


@dataclass(frozen=True)
class Unsettled:
    """An intent that nobody has noted as carried out yet."""

    id: str
    process: str
    """Whose it is; empty when that process has let it go."""
    renames: str
    record: str
    trail: str | None
    """The chain in which its record is, if it has been written, and the line before: `chain:n`."""


@dataclass(frozen=True)
class Abandoned:
    """What is stored under the id of a call that nobody wants any more; nothing: it never comes."""

    workspace: str
    result: str | None
    failure: str | None


def arguments_digest(arguments: Any) -> str:
    """Hash a call's arguments as they were received."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def claim_of(call_id: str, fence: int, tool: str, arguments: str, context: Context) -> Claim:
    """Return the claim of a call; its digest leaves out what may differ between attempts.

    `arguments` is their digest.
    """
    meaning = "\n".join((tool, arguments, context.user_id, context.allowed_paths_root))
    return Claim(
        id=call_id,
        digest=hashlib.sha256(meaning.encode()).hexdigest(),
        workspace=context.allowed_paths_root,
        session=context.session_id,
        fence=fence,
    )
