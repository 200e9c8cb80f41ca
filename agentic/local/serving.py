"""Keeps a stack serving until it is asked to end."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

from agentic.local.stack import running_stack
from agentic.terminal.running import stop_signals
from agentic.terminal.show import Display


async def serve_until_stopped(
    display: Display, data_dir: Path, port: int, host: str, settings: Mapping[str, str]
) -> None:
    """Start the stack and serve until SIGINT or SIGTERM; raise StackError when a service ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, *stop_signals()):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_stack(data_dir, port, host, settings=settings) as stack:
        display.line(f"orchestrator           {stack.url}  (API: {stack.url}/openapi.json)")
        display.line(f"execution environment  {stack.execution_url}")
        display.line(f"data and logs          {stack.data_dir}")
        if "ORCHESTRATOR_MODEL" in settings:
            display.line(f"model                  {settings['ORCHESTRATOR_MODEL']}")
        display.line("Ctrl-C stops both.")
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(stack.ended())
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            raise await failing
        failing.cancel()
    display.line("stopped")
