"""The tools that the execution environment offers, remembered for a while."""

import time
from collections.abc import Callable

from common.tools import Tools
from orchestrator.execution.client import ExecutionClient

MAX_AGE = 30.0
"""Seconds."""


class Catalogue:
    """Asks at most once in MAX_AGE; plans are checked against what it knows."""

    def __init__(self, client: ExecutionClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._tools: Tools = {}
        self._read_at = 0.0

    async def tools(self) -> Tools:
        """Return the tools by name; raises what the execution environment answers instead."""
        if not self._tools or self._now() - self._read_at > MAX_AGE:
            self._tools = {spec.name: spec for spec in await self._client.tools()}
            self._read_at = self._now()
        return self._tools
