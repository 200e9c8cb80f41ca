"""Tool calls and their results: the wire between the orchestrator and the execution environment."""

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from common.context import ExecutionContext
from common.errors import Problem
from common.ids import CallId
from common.models import Items, Lenient, Strict

Effect = Literal["read", "write", "destructive"]
Operation = Literal["create", "replace", "move", "copy", "delete"]
JsonSchema = dict[str, Any]
MAX_NAME = 64
ToolName = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
FOR_PROGRAMS = "x-for-programs"
"""In the schema of an argument: a model is not shown it, for it could only invent a value."""
TOUCHES = "x-touches"
SHALLOW = "x-shallow"
"""In the schema of an argument, as `touching` says it."""
MAX_NEAR = 3
NEAR = 0.7
"""Likeness of names: between 0, nothing in common, and 1, the same."""


Touches = Literal["path", "tree", "patch"]


def touching(what: Touches, **shallow: JsonValue) -> Any:
    """Say of a tool's argument which paths a call touches by it: rules are about those.

    It names a `path`, or several; a `tree`, with all that is in it, unless the arguments have the
    values of `shallow`; or it is a `patch`. A tool that says it of none is taken to touch everything.
    """
    return Field(json_schema_extra={TOUCHES: what, **({SHALLOW: shallow} if shallow else {})})


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
    tree_sha256: str | None = None
    """Of a directory that goes, moves or is copied, over all that is in it: in a dry run, and where the
    call says what it expects."""

    @property
    def makes_directory(self) -> bool:
        """Whether it is about a new directory, be it only one on the way to something else."""
        return self.operation == "create" and self.sha256_after is None


class ToolCall(Strict):
    """One call of one tool. `id` is its idempotency key, the same on every retry."""

    id: CallId
    fence: Annotated[int, Field(ge=0, lt=2**63)]
    """Grows with each new owner of the session: an older owner's call is refused."""
    tool: ToolName
    arguments: dict[str, JsonValue]
    context: ExecutionContext
    dry_run: bool = False
    expected: list[Receipt] | None = None
    """The receipts that a dry run gave: where the change would have others by now, it is not made. No
    part of what the id stands for."""


class ToolResult(Lenient):
    """The answer to a tool call; `replayed` says that an earlier attempt had done it."""

    id: CallId
    tool: ToolName
    output: dict[str, JsonValue]
    receipts: Items[Receipt]
    replayed: bool = False
    duration_ms: float


class ToolCallBatch(Strict):
    """Several calls in one request, of tools that only read."""

    calls: Annotated[list[ToolCall], Field(min_length=1)]


class BatchResults(Lenient):
    """What each call of a batch ended with, in their order: what it would be answered by itself."""

    results: Items[ToolResult | Problem]


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


def did_you_mean(name: str, tools: Iterable[str]) -> str | None:
    """Return a hint that names the tools whose names are nearest; None where none is near."""
    meant = name[:MAX_NAME].lower()  # comparing takes the square of its length
    ranked = sorted(((_likeness(meant, tool), tool) for tool in tools), reverse=True)
    near = [tool for likeness, tool in ranked[:MAX_NEAR] if likeness >= NEAR]
    return f"Did you mean {' or '.join(near)}?" if near else None


def _likeness(name: str, tool: str) -> float:
    """Compare the verbs, then the whole: `delete_file` means `delete_path`, and not `edit_file`."""
    pairs = ((name.partition("_")[0], tool.partition("_")[0]), (name, tool))
    return sum(SequenceMatcher(None, *pair).ratio() for pair in pairs) / len(pairs)
