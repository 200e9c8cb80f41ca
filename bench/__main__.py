"""`make bench`: measures beside a floor in the same run.

`python -m bench PART …` measures some parts alone; `--json FILE` keeps every round of every figure too.
"""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from bench.options import Options
from bench.parts import PARTS
from bench.report import printed, told
from bench.ways.swerex import VARIABLE


def machine() -> dict[str, Any]:
    """Return what the figures depend on: where they were taken, and how busy that was before."""
    return {
        "cpus": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def parsed() -> argparse.Namespace:
    """Return what was asked for; exit where that makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the figures, too")
    rounds = "how often each way is measured, where ways take turns (default: %(default)s)"
    parser.add_argument("--rounds", type=int, default=Options.rounds, help=rounds)
    swerex = f"SWE-ReX's program (default: ${VARIABLE}, else what is installed)"
    parser.add_argument("--swerex", default=os.environ.get(VARIABLE), help=swerex)
    asked = parser.parse_args()
    if unknown := [part for part in asked.parts if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    return asked


def main() -> None:
    """Print the tables."""
    asked = parsed()
    options = Options(asked.rounds, asked.swerex)
    found: dict[str, Any] = {"machine": machine(), "parts": {}}
    console = Console(width=120)
    console.print(
        "{cpus} CPUs, {kernel}, Python {python}, load {load:.1f}".format(**found["machine"])
    )
    for part in asked.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            reports = uvloop.run(PARTS[part](Path(scratch, part), options))
        for report in reports:
            console.print(printed(report))
        found["parts"][part] = [told(report) for report in reports]
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))


main()
