"""`make bench-compare REV=…`: what another revision takes, beside what is in this directory.

The other revision is checked out in a worktree, in a temporary directory. This bench is laid into it, so that
both are measured alike, in turns that alternate; `PYTHONPATH` and the working directory choose whose
services run. The virtual environment is the same one for both: a revision that needs other packages than
these cannot be measured so.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.report import printed_value
from bench.rounds import Figure, joined

HERE = Path(__file__).parent.parent
GIT = ("git", "-C", str(HERE))
TURNS = 3
Found = Mapping[tuple[str, str], Figure]
"""What was measured, by its report and its own name."""


@contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """Check a revision out, lay this bench into it, and leave nothing of it behind."""
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as scratch:
        tree = Path(scratch, "tree")
        subprocess.run([*GIT, "worktree", "add", "-q", "--detach", str(tree), revision], check=True)
        try:
            shutil.rmtree(tree / "bench", ignore_errors=True)
            shutil.copytree(HERE / "bench", tree / "bench")
            yield tree
        finally:
            subprocess.run([*GIT, "worktree", "remove", "--force", str(tree)], check=True)


def is_known(revision: str) -> bool:
    """Tell whether git knows a commit by this name."""
    command = [*GIT, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


def measured(tree: Path, options: Sequence[str]) -> Found:
    """Run the bench in a tree; return its figures. Tables of another kind are left out."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [sys.executable, "-m", "bench", *options, "--json", file.name],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return figures_in(json.load(file))


def figures_in(told: Mapping[str, Any]) -> dict[tuple[str, str], Figure]:
    """Return the figures of what the bench has told as JSON."""
    return {
        (f"{part}: {report['title']}", figure["name"]): Figure(
            figure["name"], figure["unit"], figure["rounds"]
        )
        for part, reports in told["parts"].items()
        for report in reports
        for figure in report.get("figures", ())
    }


def compared(ours: Sequence[Found], others: Sequence[Found], revision: str) -> Table:
    """Return both medians of each figure over all turns, and how many times the other's time ours takes."""
    shown = Table(
        caption=f"turns of each: {len(ours)}; ratios: how many times the time of {revision}"
    )
    for column in ("what", revision, "here", "ratio", "half of the rounds"):
        shown.add_column(column, justify="left" if column == "what" else "right")
    part = ""
    for name in ours[0]:
        here, there = (joined([turn[name] for turn in turns]) for turns in (ours, others))
        if name[0] != part:
            part = name[0]
            shown.add_section()
            shown.add_row(part)
        medians = [printed_value(there)[0], printed_value(here)[0]]
        shown.add_row(f"  {here.name}", *medians, *printed_value(here.over(there)))
    return shown


def main() -> None:
    """Measure both, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("revision", help="what to compare with, as git names it")
    parser.add_argument("parts", nargs="+", metavar="PART", help="of the bench")
    parser.add_argument("--turns", type=int, default=TURNS, help="of each (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of a turn (default: %(default)s)")
    asked = parser.parse_args()
    if not is_known(asked.revision):
        parser.error(f"git knows no revision {asked.revision}")
    options = [*asked.parts, "--rounds", str(asked.rounds)]
    ours: list[Found] = []
    others: list[Found] = []
    with worktree(asked.revision) as tree:
        for _ in range(asked.turns):
            others.append(measured(tree, options))
            ours.append(measured(HERE, options))
    Console(width=120).print(compared(ours, others, asked.revision))


if __name__ == "__main__":
    main()
