"""The race that checks lose: a directory and a link to the outside change places all the time.

The control reads through realpath and a prefix check, as most file servers do; it must be seen to
escape in the same harness, or the test proves nothing.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.errors import AgenticError, SystemFault
from tests.execution_environment.conftest import CANARY, digest_outside

SECONDS = 3.0
MOST = 60.0
CALLS = (
    ("read_file", {"path": "dir/canary.txt"}),
    ("get_file_info", {"path": "dir/canary.txt"}),
    ("search_files", {"pattern": "[0-9a-f]{32}"}),
    ("list_directory", {"depth": 3}),
    ("write_file", {"path": "dir/new.txt", "content": "x", "mode": "upsert"}),
    ("edit_file", {"path": "dir/edited.txt", "edits": [{"insert_at_line": 1, "text": "x"}]}),
    ("create_directory", {"path": "dir/sub/sub"}),
)


@pytest.fixture
def swapped(demo, outside):
    """A workspace whose `dir` is now a directory, now a link to the outside."""
    for name in ("canary.txt", "edited.txt", "new.txt"):
        (demo / "dir").mkdir(exist_ok=True)
        (demo / "dir" / name).write_text("inside\n")
    (outside / "edited.txt").write_text("x\n")
    (demo / "swap").symlink_to(outside)
    command = [sys.executable, Path(__file__).parent / "swapper.py", demo / "dir", demo / "swap"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"swapping\n"
        yield
        process.kill()


def naive_read(demo: Path, path: str) -> str:
    """The control: look, then open."""
    real = os.path.realpath(demo / path)
    if os.path.commonpath([real, demo]) != str(demo):
        return "refused"
    return Path(real).read_text()


@pytest.mark.usefixtures("swapped")
async def test_no_swap_lets_a_call_out(call, tmp_path, demo):
    """Reads see the inside or are refused; writes land inside or nowhere."""
    before = digest_outside(tmp_path, demo)
    outcomes = {"done": 0, "refused": 0}

    async def attack(tool, arguments):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                result = await call(tool, **arguments)
                assert CANARY not in result.model_dump_json()
                outcomes["done"] += 1
            except AgenticError as error:
                assert not isinstance(error, SystemFault), error
                outcomes["refused"] += 1

    await asyncio.gather(*(attack(tool, arguments) for tool, arguments in CALLS))
    assert outcomes["done"] > 50
    assert outcomes["refused"] > 50
    assert digest_outside(tmp_path, demo) == before


@pytest.mark.usefixtures("swapped")
def test_the_naive_way_escapes_in_the_same_harness(demo):
    """If this one held, the test above would show nothing."""
    deadline = time.monotonic() + MOST
    while time.monotonic() < deadline:
        try:
            if CANARY in naive_read(demo, "dir/canary.txt"):
                return
        except OSError:
            continue
    pytest.fail("the control did not escape")
