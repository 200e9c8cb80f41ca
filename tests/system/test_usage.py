"""What the ledger counts for a workspace is what lies on the disk, whatever happened to both."""

import asyncio
import os
import random
import signal
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.system.services import execution_environment, wait_until
from tests.system.test_workers import client_of, post

OPERATIONS = 2000
CLIENTS = 16
KILLS = 4
SEED = 1234
FILES = [f"{directory}f{number}" for directory in ("", "a/", "a/b/", "c/") for number in range(3)]
TREES = ["a", "a/b", "c", "d", "d/e"]
PATCH = """\
--- /dev/null
+++ b/{0}
@@ -0,0 +1 @@
+{1}
--- /dev/null
+++ b/p/{1}
@@ -0,0 +1 @@
+{1}
"""


@pytest.fixture
def workers(tmp_path):
    """Two processes on one directory; one that dies is started anew, and counts nothing anew."""
    service = execution_environment(tmp_path, EXEC_ENV_WORKERS="2").start()
    wait_until(lambda: len(serving(service)) == 2)
    yield service
    service.stop()


def serving(service):
    """Return the ids of the processes that serve."""
    assert service.process is not None
    children = f"/proc/{service.process.pid}/task/{service.process.pid}/children"
    commands = {
        int(pid): Path(f"/proc/{pid}/cmdline") for pid in Path(children).read_text().split()
    }
    return [pid for pid, command in commands.items() if b"spawn_main" in command.read_bytes()]


def operation(random, number):
    """Return any change; many of them are refused, for what they need is not there."""
    file, other = random.choice(FILES), random.choice(FILES)
    tree, destination = random.choice(TREES), random.choice(TREES)
    content = "x" * random.randrange(5000)
    return random.choice([
        ("write_file", {"path": file, "content": content, "mode": "upsert"}),
        ("write_file", {"path": file, "content": content, "mode": "upsert"}),
        ("append_file", {"path": file, "content": content}),
        ("edit_file", {"path": file, "edits": [{"insert_at_line": 1, "text": content}]}),
        ("apply_patch", {"patch": PATCH.format(file, number)}),
        ("create_directory", {"path": destination}),
        ("copy_path", {"source": file, "destination": other, "overwrite": True}),
        ("copy_path", {"source": tree, "destination": destination}),
        ("move_path", {"source": file, "destination": other, "overwrite": True}),
        ("move_path", {"source": tree, "destination": destination}),
        ("delete_path", {"path": file}),
        ("delete_path", {"path": tree, "recursive": True}),
        ("delete_path", {"path": "p", "recursive": True}),
    ])  # fmt: skip


async def test_usage_equals_the_disk(workers, tmp_path):
    """2,000 changes of all kinds from 16 clients in one workspace, while processes are killed."""
    numbers, done = iter(range(OPERATIONS)), 0

    async def change(client_number):
        nonlocal done
        choices = random.Random(SEED + client_number)  # noqa: S311
        async with client_of(workers) as client:
            for number in numbers:
                call = ("mixed", f"m{number}", *operation(choices, number))
                await until_answered(client, call)
                done += 1

    async def kill():
        for kill in range(1, KILLS + 1):
            while done < kill * OPERATIONS // (KILLS + 1):
                await asyncio.sleep(0.01)
            os.kill(serving(workers)[kill % 2 - 1], signal.SIGKILL)

    await asyncio.gather(kill(), *map(change, range(CLIENTS)))
    async with client_of(workers) as client:
        await until_answered(client, ("mixed", "last", "write_file", {"path": "z", "content": ""}))
    counted = counted_in(tmp_path / "data/state/ledger.sqlite")
    assert counted == on_disk(tmp_path / "data/workspaces/local/mixed")


async def until_answered(client, call):
    """Make a call, again when its process dies over it; it is then answered, or made, once."""
    while True:
        try:
            answer = await post(client, *call)
        except httpx.TransportError:
            continue
        assert answer.status_code < 500, answer.text
        return


def counted_in(ledger):
    """Return the bytes and entries that the ledger counts."""
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute("SELECT size, entries FROM usage").fetchone()


def on_disk(workspace):
    """Return the bytes and entries that there are."""
    found = [path.lstat() for path in workspace.rglob("*")]
    return sum(item.st_size for item in found if stat.S_ISREG(item.st_mode)), len(found)
