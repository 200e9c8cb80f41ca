"""The room is imported where there is no fcntl."""

import subprocess
import sys

_AS_ON_WINDOWS = """
import asyncio, subprocess, sys, types, zoneinfo  # these know other systems by themselves
import httpx, pathspec, platformdirs
from pydantic import BaseModel, TypeAdapter

sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
sys.platform = "win32"
from agentic.directory import archives, push, scanning, state, status, writing
print("imported")
"""


def test_the_room_is_imported_without_fcntl():
    """On Windows push and status work: nothing they import may need it."""
    done = subprocess.run(
        [sys.executable, "-c", _AS_ON_WINDOWS], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("imported\n", "")
