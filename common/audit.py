"""The audit trail as `GET /v1/audit` shows it."""

from common.context import ExecutionContext
from common.error_table import Outcome
from common.models import Lenient, UtcTime
from common.tools import Receipt


class AuditRecord(Lenient):
    """One call: who asked, for whom, from where, within which bounds, and what came of it.

    `hash` seals the line as it was written, `previous` is the hash of the line before it;
    `settled` says that the change was completed, and recorded, after a crash.
    """

    seq: int
    time: UtcTime
    previous: str
    id: str
    fence: int
    tool: str
    arguments_sha256: str
    dry_run: bool
    context: ExecutionContext
    outcome: Outcome
    code: str | None
    receipts: list[Receipt]
    replayed: bool
    duration_ms: float
    settled: bool = False
    hash: str
