"""One call that dies at a step of the commit protocol, and the process with it."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

from common.tools import ToolCall
from execution_environment.bootstrap import Assembly
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from execution_environment.threads import ThreadPool
from tests.execution_environment.transactions import bulk


class Death:
    """Comes at a step."""

    def __init__(self, step: str, number: int) -> None:
        self._step = step
        self._left = number

    def __call__(self, step: str) -> None:
        """Be told of a step that was taken."""
        self._left -= step == self._step
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def make(data_dir: Path, call: ToolCall, step: str, number: int) -> None:
    """Make a call; at the `number`-th time that `step` is reached the process kills itself.

    Without a step the call is made to its end.
    """
    asyncio.run(_make(data_dir, call, Death(step, number)))


async def _make(data_dir: Path, call: ToolCall, death: Death) -> None:
    allowed = ServiceLimits(10**6, 10**6, Usage(10**8, 10**4))
    parts = Assembly(data_dir, allowed, ThreadPool(2, 8), timedelta(days=1), observe=death)
    await (bulk.make(parts, call) if call.tool == bulk.BULK else parts.executor.run(call))
    await parts.close()
