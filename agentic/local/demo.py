"""The main job on real input: the standard library's `json` and `http`, edited and checked."""

import asyncio
import hashlib
import http
import json
import shutil
import stat
import tempfile
from importlib.resources import files
from pathlib import Path

from agentic.api.client import AgenticClient
from agentic.local.stack import Stack, running_stack
from agentic.terminal.running import Order, run_and_show
from agentic.terminal.show import Display
from common.plans import Plan
from common.runs import Run
from common.tools import Receipt

WORKSPACE = "demo"
REPORT = "reports/review.md"
GOAL = (
    "find *.py in http,"
    " then search for 'import re' in *.py in json,"
    " then replace 'import re' with 'import re  # regular expressions' in *.py in json,"
    " then append 'Edited by the rules planner.' to NOTES.md,"
    " then read NOTES.md"
)


async def run_demo(display: Display, data_dir: Path | None) -> int:
    """Run a goal and a plan on copies of real files; return 0 if the disk holds what they say.

    A run that is cancelled cancels the job: asyncio.CancelledError.
    """
    with tempfile.TemporaryDirectory(prefix="agentic-") as scratch:
        async with running_stack(data_dir or Path(scratch)) as stack:
            display.line(f"stack ready at {stack.url}", "bold")
            root = stack.workspaces / "local" / WORKSPACE
            _copy_packages(root)
            is_right = await _run_and_check(stack, root, display)
    display.line("everything is as it should be" if is_right else "NOT as it should be", "bold")
    return 0 if is_right else 1


def _copy_packages(root: Path) -> None:
    for package in (json, http):
        source = Path(str(package.__file__)).parent
        target = root / package.__name__
        shutil.copytree(
            source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )


async def _run_and_check(stack: Stack, root: Path, display: Display) -> bool:
    plan = Plan.model_validate_json((files("agentic.local") / "demo_plan.json").read_text())
    async with AgenticClient(stack.url) as client:
        display.line(f"\ngoal: {GOAL}", "bold")
        by_goal = await _run(client, display, goal=GOAL)
        goal_is_right = _verify(by_goal, root, display)
        display.line(f"\nplan: {len(plan.steps)} steps", "bold")
        by_plan = await _run(client, display, plan=plan)
        plan_is_right = _verify(by_plan, root, display)
    return goal_is_right and plan_is_right and _report_is_right(root, display)


async def _run(
    client: AgenticClient, display: Display, goal: str | None = None, plan: Plan | None = None
) -> Run:
    run = await run_and_show(client, display, Order(goal, plan), workspace=WORKSPACE)
    if run.status == "cancelled":  # by Ctrl-C, which was meant for all of the job
        raise asyncio.CancelledError
    return run


def _report_is_right(root: Path, display: Display) -> bool:
    """Tell whether the report holds what earlier steps gave: the decoder's new hash."""
    digest = hashlib.sha256((root / "json" / "decoder.py").read_bytes()).hexdigest()
    is_right = f"Decoder now: {digest}\n" in (root / REPORT).read_text()
    display.line(f"  {'ok' if is_right else 'DIFFERS':<8} the report quotes the decoder's hash")
    return is_right


def _verify(run: Run, root: Path, display: Display) -> bool:
    """Compare each path that the run says it changed with the disk; print each comparison."""
    receipts = run.result.changes if run.result is not None else []
    display.line("on disk:", "bold")
    is_right = [_matches(receipt, root, display) for receipt in receipts]
    return run.status == "succeeded" and bool(receipts) and all(is_right)


def _matches(receipt: Receipt, root: Path, display: Display) -> bool:
    found = _found(root / receipt.path)
    size = 0 if receipt.sha256_after is None else receipt.size  # a tree's is that of its files
    is_right = found == (receipt.sha256_after, size, receipt.mode)
    mark = "ok" if is_right else "DIFFERS"
    display.line(f"  {mark:<8} {_described(*found)}  {receipt.path}")
    return is_right


def _described(digest: str | None, size: int, mode: str | None) -> str:
    if digest is None:
        return f"{'gone' if mode is None else 'directory':<30}    {mode or '':<4}"
    return f"{digest[:16]}…  {size:>7} bytes  {mode}"


def _found(path: Path) -> tuple[str | None, int, str | None]:
    """Return hash, size and mode as receipts have them: none for what is not there."""
    if not path.exists():
        return None, 0, None
    mode = f"{stat.S_IMODE(path.stat().st_mode):04o}"
    if path.is_dir():
        return None, 0, mode
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest(), len(data), mode
