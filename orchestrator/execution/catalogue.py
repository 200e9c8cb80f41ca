"""The tools that the execution environment offers, remembered for a while."""

import time
from collections.abc import Callable

from common.errors import SystemFault
from common.logs import get_logger
from common.tools import Tools
from orchestrator.execution.client import ExecutionClient

MAX_AGE = 30.0
PAUSE = 5.0
"""Seconds until a question that had no answer is asked again."""

log = get_logger(__name__)


class Catalogue:
    """Asks at most once in MAX_AGE; plans are checked against what it knows."""

    def __init__(self, client: ExecutionClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._tools: Tools = {}
        self._ask_at = now()
        self._is_stale = False

    async def tools(self) -> Tools:
        """Return the tools by name, while nobody answers the ones that were known before.

        Raises what the execution environment answers instead as long as none are known.
        """
        if self._tools and self._now() < self._ask_at:
            return self._tools
        self._ask_at = self._now() + PAUSE  # others go on with what is known meanwhile
        try:
            found = await self._client.tools()
        except SystemFault as fault:
            if not self._tools:
                raise
            self._note(fault)
        else:
            self._tools = {spec.name: spec for spec in found}
            self._ask_at = self._now() + MAX_AGE
            self._is_stale = False
        return self._tools

    def _note(self, fault: SystemFault) -> None:
        """Log once that the tools could not be read; a run waits for its calls, not for this."""
        if not self._is_stale:
            log.warning("the tools are those known before", code=fault.code, detail=fault.detail)
        self._is_stale = True
