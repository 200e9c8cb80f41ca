"""Previews of changes: dry runs against the files as they are."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.approvals.reviews import Preview
from common.errors import ToolError
from common.files.paths import show_path
from common.tools import ToolResult
from orchestrator.approvals.dry_running import Arguments, DryRun
from orchestrator.approvals.paths import Touched

SIDE_BY_SIDE = 8
"""Dry runs at a time."""


@dataclass(frozen=True)
class Change:
    """A change that somebody is shown before it is made."""

    n: int
    tool: str
    arguments: Arguments
    touched: Sequence[Touched]
    depends_on: int | None
    """The number of an earlier call of its turn, which changes what this one is about."""


@dataclass(frozen=True)
class Seen:
    """A preview, and for a call that depends on another what was there when it was made."""

    preview: Preview
    hashes: dict[str, str | None] = field(default_factory=dict)


class Previewer:
    """Makes the previews of a turn."""

    def __init__(self, dry_run: DryRun, request_id: str | None) -> None:
        self._dry_run = dry_run
        self._request_id = request_id
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def previews(self, changes: Sequence[Change]) -> dict[int, Seen]:
        """Return what each change would do, by the number of its call; faults and Cancelled go through."""
        looking = [asyncio.ensure_future(self._in_turn(change)) for change in changes]
        try:
            seen = await asyncio.gather(*looking)
        finally:
            for look in looking:
                look.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
        return {change.n: look for change, look in zip(changes, seen, strict=True)}

    async def _in_turn(self, change: Change) -> Seen:
        async with self._turns:
            if change.depends_on is None:
                return Seen(await self._preview(change))
            hashes = {
                show_path(touched.parts): await self._hash_of(touched) for touched in change.touched
            }
            return Seen(Preview(depends_on_step=change.depends_on), hashes)

    async def _preview(self, change: Change) -> Preview:
        try:
            result = await self._dry_run(change.tool, change.arguments)
        except ToolError as refusal:
            return Preview(error=refusal.problem("orchestrator", self._request_id))
        return preview_of(result)

    async def _hash_of(self, touched: Touched) -> str | None:
        """Return the hash of the file at a path; None for a directory, and where nothing is."""
        try:
            result = await self._dry_run("get_file_info", {"path": show_path(touched.parts)})
        except ToolError:
            return None
        found = result.output.get("sha256")
        return found if isinstance(found, str) else None


def preview_of(result: ToolResult) -> Preview:
    """Return what a dry run has shown."""
    told = dict(result.output)
    diff = told.pop("diff", None)
    return Preview(
        diff=diff if isinstance(diff, str) else None, receipts=result.receipts, output=told or None
    )
