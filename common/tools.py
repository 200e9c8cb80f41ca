"""Tool calls and their results: the wire between the orchestrator and the execution environment."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from common.context import ExecutionContext
from common.ids import CallId
from common.models import Lenient, Strict

Effect = Literal["read", "write", "destructive"]
Operation = Literal["create", "replace", "move", "copy", "delete"]
JsonSchema = dict[str, Any]
ToolName = Annotated[str, Field(min_length=1, max_length=64)]


class ToolCall(Strict):
    """One call of one tool. `id` is its idempotency key, the same on every retry."""

    id: CallId
    fence: Annotated[int, Field(ge=0, lt=2**63)]
    """Grows with each new owner of the session: an older owner's call is refused."""
    tool: ToolName
    arguments: dict[str, JsonValue]
    context: ExecutionContext
    dry_run: bool = False


class Receipt(Lenient):
    """What one change did to one path. Sizes in bytes; `mode` in octal, such as "0644"."""

    path: str
    operation: Operation
    created: bool
    sha256_before: str | None
    sha256_after: str | None
    size: int | None
    mode: str | None
    bytes_written: int


class ToolResult(Lenient):
    """The answer to a tool call; `replayed` says that an earlier attempt had done it."""

    id: CallId
    tool: ToolName
    output: dict[str, JsonValue]
    receipts: list[Receipt]
    replayed: bool = False
    duration_ms: float


class Settlement(Lenient):
    """What became of a call: its result, or the certainty that it never takes effect."""

    id: CallId
    outcome: Literal["executed", "not_executed"]
    result: ToolResult | None = None


class ToolSpec(Lenient):
    """A tool as `GET /v1/tools` shows it."""

    name: str
    description: str
    effect: Effect
    arguments_schema: JsonSchema
    output_schema: JsonSchema


Tools = Mapping[str, ToolSpec]
"""The tools there are, by name."""
