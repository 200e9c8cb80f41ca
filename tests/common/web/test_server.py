"""The server process, as it is when it begins to serve."""

import asyncio
import subprocess
import sys

SERVE = """
import gc
from datetime import timedelta
from types import SimpleNamespace
from fastapi import FastAPI
from common.web import server

def run(self):
    self.started = True
    print(gc.get_freeze_count(), len(gc.get_objects()))

server.Server.run = run
server.serve(FastAPI(), SimpleNamespace(
    host="127.0.0.1", port=0, log_format="json", log_level="INFO", shutdown_grace=timedelta(1)
))
"""


async def test_garbage_is_not_looked_for_in_what_was_loaded_before_serving():
    """A hundred thousand objects: the collector held up the loop for 80 ms each time it did."""
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", SERVE],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    frozen, left = map(int, ended.stdout.split())
    assert left * 20 < frozen
