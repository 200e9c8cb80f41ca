"""Previews of changes: dry runs against the files as they are, one call of a turn after the other."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from common.approvals.reviews import Preview
from common.errors import ToolError
from common.files.paths import show_path
from common.plans import TurnCall
from common.tools import ToolResult
from orchestrator.approvals.paths import Touched

Arguments = dict[str, JsonValue]
DryRun = Callable[[str, Arguments], Awaitable[ToolResult]]
"""Makes a dry run of a tool with these arguments, or a read; raises the call's error."""


@dataclass(frozen=True)
class Change:
    """A change that is going to be made, in the order of its turn."""

    call: TurnCall
    arguments: Arguments
    touched: Sequence[Touched]


@dataclass(frozen=True)
class Seen:
    """A preview, and for a call that depends on another what was there when it was made."""

    preview: Preview
    hashes: dict[str, str | None] = field(default_factory=dict)


async def previewed(
    change: Change, before: Sequence[Change], dry_run: DryRun, request_id: str | None
) -> Seen:
    """Return what a change would do; `before` are those of its turn that are going to be made first."""
    earlier = [one.call.n for one in before if _overlap(one.touched, change.touched)]
    if earlier:
        hashes = {
            show_path(touched.parts): await _hash_of(touched, dry_run) for touched in change.touched
        }
        return Seen(Preview(depends_on_step=earlier[-1]), hashes)
    try:
        result = await dry_run(change.call.tool, change.arguments)
    except ToolError as refusal:
        return Seen(Preview(error=refusal.problem("orchestrator", request_id)))
    diff = result.output.get("diff")
    return Seen(Preview(diff=diff if isinstance(diff, str) else None, receipts=result.receipts))


def _overlap(some: Sequence[Touched], others: Sequence[Touched]) -> bool:
    return any(one.overlaps(other) for one in some for other in others)


async def _hash_of(touched: Touched, dry_run: DryRun) -> str | None:
    """Return the hash of the file at a path; None for a directory, and where nothing is."""
    try:
        result = await dry_run("get_file_info", {"path": show_path(touched.parts)})
    except ToolError:
        return None
    found = result.output.get("sha256")
    return found if isinstance(found, str) else None
