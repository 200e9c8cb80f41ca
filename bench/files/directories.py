"""What a directory costs on its way out and back, beside `tar | tar; sync -f` and `rsync -a`.

All of it lies on one file system; requests go over loopback, through both services.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.table import Table

from agentic import AgenticClient
from agentic.directory.pull import pull
from agentic.directory.push import push
from agentic.directory.root import Root
from agentic.directory.state import VARIABLE, State, opened_state
from agentic.local.stack import running_stack
from bench.files.counting import Counting
from bench.files.trees import make_tree
from bench.options import Options
from common.plans import Plan

FILES = 10_000
SIZE = 500_000_000
EDITS = 3
PULLED = 1000


@dataclass(frozen=True)
class Row:
    """What was measured: seconds, and the bytes that were sent and received, if that is known."""

    what: str
    seconds: float
    sent: int | None = None
    received: int | None = None


def floors(tree: Path, scratch: Path) -> list[Row]:
    """Copy the tree as the tools do that everybody has; rsync where it is there."""
    tar = 'tar -C "$0" -cf - . | tar -C "$1" -xf - && sync -f "$1"'
    rows = [Row("tar | tar; sync -f (the floor)", _ran(["sh", "-c", tar], tree, scratch / "tar"))]
    if shutil.which("rsync"):
        synced, rsync = scratch / "rsync", ["rsync", "-a"]
        rows.append(Row("rsync -a, first", _ran(rsync, f"{tree}/", synced)))
        rows.append(Row("rsync -a, no change", _ran(rsync, f"{tree}/", synced)))
    return rows


def _ran(command: list[str], source: str | Path, target: Path) -> float:
    target.mkdir(exist_ok=True)
    started = time.perf_counter()
    subprocess.run([*command, str(source), str(target)], check=True)
    return time.perf_counter() - started


@dataclass
class Measuring:
    """One directory, and its workspace behind both services."""

    client: AgenticClient
    session_id: str
    counts: Counting
    url: str
    tree: Path
    rows: list[Row]

    async def push(self, what: str) -> None:
        """Measure a push."""
        await self._measured(
            what, lambda root, state: push(self.client, self.session_id, root, state)
        )

    async def pull(self, what: str) -> None:
        """Measure a pull."""
        await self._measured(
            what, lambda root, state: pull(self.client, self.session_id, root, state)
        )

    async def _measured(self, what: str, work: Callable[[Root, State], Awaitable[object]]) -> None:
        sent, received = self.counts.sent, self.counts.received
        started = time.perf_counter()
        with Root(self.tree) as root:
            async with opened_state(root, self.url, None) as state:
                await work(root, state)
        seconds = time.perf_counter() - started
        counted = self.counts.sent - sent, self.counts.received - received
        self.rows.append(Row(what, seconds, *counted))


async def measure_directories(scratch: Path, _: Options) -> list[Table]:
    """Run all measurements and return their table."""
    tree = scratch / "tree"
    paths = await asyncio.to_thread(make_tree, tree, FILES, SIZE)
    rows = await asyncio.to_thread(floors, tree, scratch)
    os.environ[VARIABLE] = str(scratch / "state")
    async with _measuring(scratch, tree, rows) as measuring:
        await measuring.push("push, first")
        await measuring.push("push, no change")
        for path in paths[:EDITS]:
            path.write_bytes(path.read_bytes() + b"# edited\n")
        await measuring.push(f"push, {EDITS} edits")
        await _change_there(measuring, tree, paths[-PULLED:])
        await measuring.pull(f"pull, {PULLED} changes")
    return [table(rows)]


@asynccontextmanager
async def _measuring(scratch: Path, tree: Path, rows: list[Row]) -> AsyncIterator[Measuring]:
    counts = Counting(httpx.AsyncHTTPTransport())
    async with (
        running_stack(scratch / "data") as stack,
        AgenticClient(stack.url, transport=counts) as client,
    ):
        session = await client.create_session("bench")
        yield Measuring(client, session.id, counts, stack.url, tree, rows)


async def _change_there(measuring: Measuring, tree: Path, paths: list[Path]) -> None:
    """Have runs change files in the workspace, as an agent does."""
    steps = [
        {
            "name": f"s{number}",
            "tool": "append_file",
            "arguments": {"path": str(path.relative_to(tree)), "content": "# an agent\n"},
        }
        for number, path in enumerate(paths)
    ]
    for start in range(0, len(steps), 100):
        plan = Plan.model_validate({"steps": steps[start : start + 100]})
        run = await measuring.client.start_run(measuring.session_id, plan=plan)
        ended = await measuring.client.wait(measuring.session_id, run.id)
        assert ended.status == "succeeded"


def table(rows: list[Row]) -> Table:
    """Return the figures, with the ratio to the floor, which is the first row."""
    caption = f"{FILES} files, {SIZE // 1_000_000} MB"
    if not any(row.what.startswith("rsync") for row in rows):
        caption += "; rsync is not on this machine"
    result = Table(caption=caption)
    for column in ("what", "seconds", "MB sent", "MB received", "ratio"):
        result.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        told = [_megabytes(row.sent), _megabytes(row.received)]
        result.add_row(
            row.what, f"{row.seconds:.2f}", *told, f"{row.seconds / rows[0].seconds:.2f}"
        )
    return result


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.2f}"
