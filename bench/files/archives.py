"""What a first push of 10,000 files costs, beside `tar | tar; sync -f` on the same file system."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from agentic import AgenticClient
from agentic.directory.push import push
from agentic.directory.root import Root
from agentic.directory.state import VARIABLE, opened_state
from agentic.local.stack import Stack, running_stack
from bench.files.trees import make_tree
from bench.options import Options
from bench.report import Bar, Line, Report
from bench.rounds import Measure, in_turn, timed

FILES, SIZE = 10_000, 116_000_000
TAR = 'tar -C "$0" -cf - . | tar -C "$1" -xf - && sync -f "$1"'
FLOOR, PUSH = "tar | tar; sync -f", "agentic push, the first"


def copied(tree: Path, target: Path) -> None:
    """Copy a tree as the tools do that everybody has, until it is on the disk."""
    target.mkdir()
    subprocess.run(["sh", "-c", TAR, str(tree), str(target)], check=True)


async def measure_archives(directory: Path, options: Options) -> list[Report]:
    """Measure copies and pushes in turn, each to where nothing is."""
    tree = directory / "tree"
    await asyncio.to_thread(make_tree, tree, FILES, SIZE)
    async with running_stack(directory / "data") as stack, AgenticClient(stack.url) as client:
        ways = {
            FLOOR: _copying(tree, directory / "copy"),
            PUSH: _pushing(stack, client, tree, directory / "state"),
        }
        figures = await in_turn(ways, min(options.rounds, 5))
    floor, ours = figures.values()
    title = f"{FILES:,} files, {SIZE // 1_000_000} MB, into an empty workspace"
    return [Report(title, [Line(floor), Line(ours, floor, Bar(2, is_of_floor=True))])]


def _copying(tree: Path, target: Path) -> Measure:
    async def measure() -> float:
        taken = await timed(lambda: asyncio.to_thread(copied, tree, target))
        await asyncio.to_thread(shutil.rmtree, target)
        return taken

    return measure


def _pushing(stack: Stack, client: AgenticClient, tree: Path, state_dir: Path) -> Measure:
    os.environ[VARIABLE] = str(state_dir)

    async def measure() -> float:
        session = await client.create_session()

        async def first_push() -> None:
            with Root(tree) as root:
                async with opened_state(root, stack.url, None) as state:
                    pushed = await push(client, session.id, root, state)
            assert len(pushed.sent) == FILES

        taken = await timed(first_push)
        await client.delete_session(session.id, with_workspace=True)
        await asyncio.to_thread(shutil.rmtree, state_dir)
        return taken

    return measure
