"""Copies of the packages in which something is left out or added, for processes to run from."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent.parent
PACKAGES = ("common", "execution_environment", "orchestrator")


class Change(NamedTuple):
    """A text that stands exactly once in a file, and what stands there instead."""

    file: str
    text: str
    instead: str


def copy_of_packages(directory: Path, changes: Iterable[Change]) -> Path:
    """Copy the packages into a directory, change them there, and return it."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for change in changes:
        path = directory / change.file
        source = path.read_text()
        assert source.count(change.text) == 1, f"{change.file}: {change.text}"
        path.write_text(source.replace(change.text, change.instead))
    return directory


def with_planner(directory: Path, name: str, source: str) -> Path:
    """Copy the packages with one planner more: class `Added`, in a file of that name; return where."""
    registry = "orchestrator/planners/registry.py"
    imported = "from orchestrator.planners.plan"
    listed = "    PlanPlanner(),\n"
    copy_of_packages(
        directory,
        [
            Change(
                registry, imported, f"from orchestrator.planners.{name} import Added\n{imported}"
            ),
            Change(registry, listed, f"    Added(),\n{listed}"),
        ],
    )
    (directory / f"orchestrator/planners/{name}.py").write_text(source)
    return directory


WITHOUT_FENCE = (
    Change(
        "orchestrator/store/lua/_prelude.lua",
        "  if run[1] ~= fence then return 'fenced' end\n",
        "",
    ),
    Change(
        "orchestrator/store/lua/_prelude.lua",
        "  if run[3] ~= 'running' then return 'fenced' end\n",
        "",
    ),
    Change(
        "orchestrator/store/lua/renew.lua",
        "run[1] ~= ARGV[OWN + 1] or run[2] ~= 'running'",
        "false",
    ),
    Change("orchestrator/store/fencing.py", "IN_DOUBT = 0.8\n", "IN_DOUBT = 1000.0\n"),
    Change(
        "execution_environment/ledger/fences.py",
        "    if session is not None and 0 < fence < highest:\n",
        "    if False:\n",
    ),
)
"""Nothing refuses an owner that is none any more, and it does not stop by itself."""
WITHOUT_IDS = (
    Change(
        "orchestrator/engine/calls.py",
        'id=f"{lease.run.id}:{step.n}:{step.k}"',
        'id=f"{lease.run.id}:{step.n}:{step.k}:{lease.fence}"',
    ),
)
"""A call has another id under each owner: what was done under the last one is not found."""
