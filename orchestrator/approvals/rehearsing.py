"""Rehearses calls for a person who waits for it: previewed within a bound of time, on their behalf."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import SystemFault
from orchestrator.approvals.dry_running import DryRun
from orchestrator.approvals.previewing import Previewer
from orchestrator.approvals.reviewing import reviewed
from orchestrator.approvals.weighing import Weighed
from orchestrator.store.records import Review


@dataclass(frozen=True)
class Rehearsal:
    """Whose dry runs they are, by the id of the request, and how many seconds all of them may take."""

    dry_run: DryRun
    request_id: str
    seconds: float

    async def review(
        self,
        t: int,
        calls: Sequence[Weighed],
        before: Review | None = None,
        *,
        shows_all: bool = False,
    ) -> Review:
        """Return the review of turn `t`, as `reviewed` makes it.

        Raises the fault that keeps a change from being previewed, or `deadline_exceeded`.
        """
        previewer = Previewer(self.dry_run, self.request_id)
        try:
            async with asyncio.timeout(self.seconds):
                return await reviewed(t, calls, previewer, before, shows_all=shows_all)
        except TimeoutError as late:
            raise SystemFault(
                "deadline_exceeded",
                f"The previews take longer than {self.seconds:g} seconds",
                hint="Preview fewer calls at a time: nothing was changed.",
                outcome="not_executed",
            ) from late
