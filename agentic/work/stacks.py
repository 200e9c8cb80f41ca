"""What starts and ends a stack: `up`, `down` and `demo`."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from agentic.local.demo import run_demo
from agentic.local.ownership import end_owner
from agentic.local.serving import serve_until_stopped
from agentic.work import inputs
from agentic.work.ending import ExitCode, new_display


async def up(data_dir: Path | None, host: str, port: int, settings: Mapping[str, str]) -> int:
    """Serve until a signal."""
    place = data_dir or inputs.default_data_dir()
    await serve_until_stopped(new_display(goes_on=True), place, port, host, settings)
    return ExitCode.SUCCEEDED


async def down(data_dir: Path | None) -> int:
    """End the stack that serves."""
    did_end = await asyncio.to_thread(end_owner, data_dir or inputs.default_data_dir())
    new_display().line("stopped" if did_end else "nothing is up")
    return ExitCode.SUCCEEDED


async def demo(data_dir: Path | None) -> int:
    """Do the main job."""
    return await run_demo(new_display(goes_on=True), data_dir)
