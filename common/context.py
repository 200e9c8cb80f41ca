"""Who asks, on whose behalf, from where and within which bounds: it travels with every tool call."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from common.ids import Name, RequestId, RunId, SessionId, StepId
from common.models import Strict

_NAME = "[a-z0-9][a-z0-9_-]{0,62}"
WorkspaceRoot = Annotated[str, StringConstraints(pattern=rf"^{_NAME}/{_NAME}$")]
"""`<user_id>/<workspace>`: the only place that a call may touch."""

Access = Literal["read_only", "read_write"]
SourceKind = Literal["rest", "websocket", "cli", "mcp", "internal"]
"""By which door a request came in."""
MAX_TIMEOUT = 3600.0
"""Seconds: the longest deadline that a single tool call may ask for."""


class RequestSource(Strict):
    """How the request came in."""

    kind: SourceKind
    address: Annotated[str, Field(max_length=64)] | None = None
    agent: Annotated[str, Field(max_length=256)] | None = None


class Limits(Strict):
    """Bounds in bytes that narrow the service's own; null leaves those as they are."""

    max_read_bytes: Annotated[int, Field(gt=0)] | None = None
    max_write_bytes: Annotated[int, Field(gt=0)] | None = None
    workspace_quota_bytes: Annotated[int, Field(gt=0)] | None = None


class ExecutionContext(Strict):
    """What every tool call and every audit record carries."""

    request_id: RequestId
    session_id: SessionId | None = None
    run_id: RunId | None = None
    step_id: StepId | None = None
    user_id: Name
    request_source: RequestSource
    allowed_paths_root: WorkspaceRoot
    access: Access = "read_write"
    timeout: Annotated[float, Field(gt=0, le=MAX_TIMEOUT)]
    """Seconds left of the caller's deadline (not a time of day: clocks differ between hosts)."""
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _root_belongs_to_user(self) -> Self:
        if self.allowed_paths_root.split("/")[0] != self.user_id:
            raise ValueError("allowed_paths_root must lie beneath the directory of user_id")
        return self
