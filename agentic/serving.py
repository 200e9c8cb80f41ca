"""Keeps a stack serving until it is asked to end, and asks it to end from elsewhere."""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from agentic.running import stop_signals
from agentic.show import Display
from agentic.stack import StackError, running_stack

PID_FILE = "up.pid"
STOP_TIMEOUT = 60.0
PAUSE = 0.05
"""Seconds."""


async def serve_until_stopped(display: Display, data_dir: Path, port: int, host: str) -> None:
    """Start the stack and serve until SIGINT or SIGTERM; raise StackError when a service ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, *stop_signals()):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _holding(data_dir):
        async with running_stack(data_dir, port, host) as stack:
            display.line(f"orchestrator           {stack.url}  (API: {stack.url}/docs)")
            display.line(f"execution environment  {stack.execution_url}")
            display.line(f"data and logs          {stack.data_dir}")
            display.line("Ctrl-C stops both.")
            stopping = asyncio.create_task(stop.wait())
            failing = asyncio.create_task(stack.ended())
            await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                raise await failing
            failing.cancel()
    display.line("stopped")


def stop_serving(data_dir: Path) -> bool:
    """End the stack that serves from this directory and wait for it; False when there is none."""
    path = data_dir / PID_FILE
    if not path.exists():
        return False
    with path.open("r+") as file:
        if _lock(file):
            return False
        os.kill(int(file.read()), signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while not _lock(file):
            if time.monotonic() > deadline:
                raise StackError(f"the stack did not end within {STOP_TIMEOUT:g} seconds")
            time.sleep(PAUSE)
    return True


@contextmanager
def _holding(data_dir: Path) -> Iterator[None]:
    """Hold the directory's pid file: its lock tells that we live, its content who we are."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / PID_FILE).open("a+") as file:
        if not _lock(file):
            raise StackError(f"a stack serves from {data_dir} already; agentic down ends it")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
