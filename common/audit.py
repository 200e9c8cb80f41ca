"""The audit trail as `GET /v1/audit` shows it."""

from common.context import Limits, RequestSource
from common.error_table import Outcome
from common.models import Lenient, UtcTime
from common.tools import Receipt

SETTLE = "settle_call"
"""What stands for a tool where a call was settled; its outcome is that of the call."""


class RecordedContext(Lenient):
    """An ExecutionContext, or what a call that was refused gave as one: that may be anything."""

    request_id: str | None = None
    session_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    user_id: str | None = None
    request_source: RequestSource | None = None
    allowed_paths_root: str | None = None
    access: str | None = None
    timeout: float | None = None
    limits: Limits = Limits()


class RecordedChanges(Lenient):
    """What a call did that changed many files: counts, and the hash of the list that has them all."""

    created: int = 0
    replaced: int = 0
    deleted: int = 0
    unchanged: int = 0
    bytes_written: int = 0
    receipts_sha256: str | None = None


class AuditRecord(Lenient):
    """One call: who asked, for whom, from where, within which bounds, and what came of it.

    `hash` seals the line as it was written, `previous` is the hash of the line before it;
    `settled` says that the change was completed, and recorded, after a crash. A line leaves out
    what is null, false or empty.
    """

    seq: int
    time: UtcTime
    previous: str
    id: str
    fence: int
    tool: str
    arguments_sha256: str
    dry_run: bool = False
    context: RecordedContext
    outcome: Outcome
    code: str | None = None
    receipts: list[Receipt] = []
    changes: RecordedChanges | None = None
    replayed: bool = False
    duration_ms: float
    settled: bool = False
    hash: str
