"""The audit trail: who did what, allowed or denied."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from common.audit import AuditRecord
from common.error_table import Outcome
from common.ids import Name, RunId, SessionId
from common.models import Page, UtcTime
from common.web.openapi import problems
from execution_environment.audit import reader
from execution_environment.routes.dependencies import ServicesDep

router = APIRouter(prefix="/v1", tags=["audit"])


async def _query(
    session_id: SessionId | None = None,
    run_id: RunId | None = None,
    user_id: Name | None = None,
    outcome: Outcome | None = None,
    since: UtcTime | None = None,
    until: UtcTime | None = None,
) -> reader.Query:
    return reader.Query(session_id, run_id, user_id, outcome, since, until)


@router.get(
    "/audit",
    responses=problems("malformed_request", "unauthenticated", "invalid_request", "internal"),
)
async def read_audit(
    query: Annotated[reader.Query, Depends(_query)],
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str, Query(max_length=100)] | None = None,
) -> Page[AuditRecord]:
    """Return records of calls in order of time, `since` included and `until` left out."""
    records, following = await services.threads.run(
        reader.find, services.audit_dir, query, limit, cursor
    )
    items = [AuditRecord.model_validate(record) for record in records]
    return Page(items=items, next_cursor=following)
