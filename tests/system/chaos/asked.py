"""The runs of the load that ask a person: what each wants, what is said to it, and what may come of it.

What a person decides of a step follows from the seed alone: asked again, after a crash or because the files
have changed, they say the same, and the disk shows whether it was heard.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

SEED = int(os.environ.get("SEED", "4711"))
READS = 1
"""So many of a run's steps come first and change nothing."""
SHARE = 3
"""Of so many runs of a session one asks."""
STEPS = 10
OWN, CHAIN, SHARED = (1, 2, 3, 8, 9), (4, 5, 6), (7,)
"""Steps that append to files of their own; one after the other to one of their session's; to the workspace's
log, which other sessions append to meanwhile."""
EDITED = " edited"
Decision = Literal["approve", "reject", "edit"]
FIXED: dict[int, Decision] = {1: "approve", 2: "edit", 3: "reject"}
"""Each run has each."""


def asks(run: int) -> bool:
    """Tell whether a run asks before it changes anything."""
    return run % SHARE == 1


def steps(session: int, run: int) -> list[dict[str, Any]]:
    """Return the steps of such a run: a look that asks nobody, then nine lines."""
    appends = [_append(session, run, n) for n in range(1, STEPS)]
    return [{"tool": "list_directory", "arguments": {}}, *appends]


def _append(session: int, run: int, n: int) -> dict[str, Any]:
    arguments = {"path": _path(session, run, n), "content": f"{_line(session, run, n)}\n"}
    return {"tool": "append_file", "arguments": arguments, "on_error": "continue"}


def _path(session: int, run: int, n: int) -> str:
    if n in SHARED:
        return "log"
    return f"asked-{session}" if n in CHAIN else f"asked/{session}-{run}-{n}"


def _line(session: int, run: int, n: int) -> str:
    return f"{session} {run} {n} asked"


def decision(session: int, run: int, n: int) -> Decision:
    """Return what a person says of a step, counted from 0; never no to two in a row: a model gives up."""
    if n in FIXED:
        return FIXED[n]
    chance = random.Random(f"{SEED} {session} {run} {n}")  # noqa: S311  # to be repeated
    choices: tuple[Decision, ...] = ("approve", "reject", "edit") if n % 2 else ("approve", "edit")
    return chance.choice(choices)


def edited(session: int, run: int, n: int) -> dict[str, Any]:
    """Return the arguments that a person puts in place of a step's."""
    content = f"{_line(session, run, n)}{EDITED}\n"
    return {"path": _path(session, run, n), "content": content}


def approved(session: int, run: int) -> Iterator[str]:
    """Yield the lines that are to be there once the run has ended."""
    for n in range(1, STEPS):
        said = decision(session, run, n)
        if said != "reject":
            yield _line(session, run, n) + (EDITED if said == "edit" else "")


def found(workspace: Path, session: int, run: int) -> Counter[str]:
    """Return what there is of a run's lines, in whatever form, and how often."""
    lines: Counter[str] = Counter()
    for path in {_path(session, run, n) for n in range(1, STEPS)}:
        lines.update(_read(workspace / path))
    return Counter({line: n for line, n in lines.items() if line.startswith(f"{session} {run} ")})


def has_happened(workspace: Path, session: int, run: int, n: int) -> bool:
    """Tell whether there is anything of a step."""
    wanted = _line(session, run, n)
    return any(line.startswith(wanted) for line in _read(workspace / _path(session, run, n)))


def _read(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
