"""What the runs do: ten appends and edits each, of which a double, a loss and a swap can be seen."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.chaos import asked

USERS = ("ada", "bob", "eve")
STEPS = 10
EDITS = 4


@dataclass(frozen=True)
class Place:
    """One session of the load: whose it is, and what the files of its runs are called."""

    number: int

    @property
    def user(self) -> str:
        """Whose session it is."""
        return USERS[self.number % len(USERS)]

    @property
    def workspace(self) -> str:
        """Two sessions of one user share a workspace."""
        return f"w{self.number // (2 * len(USERS))}"

    @property
    def counter(self) -> str:
        """The file that this session's runs alone edit."""
        return f"counter-{self.number}"


def plan(place: Place, run: int) -> dict[str, Any]:
    """Return a plan of ten steps: a counter is begun, then counted up between lines of a log.

    Of a run that asks, another one.
    """
    if asked.asks(run):
        return _plan(asked.steps(place.number, run))
    steps = [_append(place.counter, f"run {run}: 0\n")]
    for n in range(EDITS + 1):
        steps.append(_append("log", f"{line(place.number, run, n)}\n"))
        if n < EDITS:
            steps.append(_edit(place.counter, f"run {run}: {n}\n", f"run {run}: {n + 1}\n"))
    return _plan(steps)


def planned(place: Place, run: int) -> dict[str, Any]:
    """Return a request for that plan."""
    return {"plan": plan(place, run), "approval": policy(run)}


def policy(run: int) -> str:
    """Return what of a run asks a person first."""
    return "writes" if asked.asks(run) else "never"


def appends(place: Place, run: int) -> dict[str, Any]:
    """Return a request for ten appends to the log."""
    return {
        "plan": _plan([_append("log", f"{line(place.number, run, n)}\n") for n in range(STEPS)])
    }


def _plan(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"steps": [{"name": f"s{n}", **step} for n, step in enumerate(steps)]}


def _append(path: str, content: str) -> dict[str, Any]:
    return {"tool": "append_file", "arguments": {"path": path, "content": content}}


def _edit(path: str, old: str, new: str) -> dict[str, Any]:
    edits = [{"old_text": old, "new_text": new}]
    return {"tool": "edit_file", "arguments": {"path": path, "edits": edits}}


def line(session: int, run: int, n: int) -> str:
    """Return what a run appends to its workspace's log."""
    return f"{session} {run} {n}"


@dataclass
class Effects:
    """What the disk shows of the runs that were to take effect."""

    doubles: list[str]
    lost: list[str]
    swapped: list[str]
    """Sessions whose effects are all there, in another order."""
    unapproved: list[str]
    """What nobody has approved, or what was rejected."""

    def __bool__(self) -> bool:
        return bool(self.doubles or self.lost or self.swapped or self.unapproved)


def effects(
    workspaces: Path, runs: dict[Place, list[int]], others: dict[Place, list[int]] | None = None
) -> Effects:
    """Compare the disk with the runs that each session says have succeeded, in their order.

    Of the `others` nothing need be there, but nothing twice, and nothing that was not approved.
    """
    found = Effects([], [], [], [])
    for place, ended in runs.items():
        directory = workspaces / place.user / place.workspace
        numbers = [run for run in ended if not asked.asks(run)]
        for run in filter(asked.asks, ended):
            _compare_asked(found, place, run, directory, must_be_there=True)
        told = _lines(directory / "log", f"{place.number} ")
        wanted = [line(place.number, run, n) for run in numbers for n in range(EDITS + 1)]
        _compare(found, place, told, wanted)
        counted = _lines(directory / place.counter, "run ")
        _compare(found, place, counted, [f"run {run}: {EDITS}" for run in numbers])
    for place, unsure in (others or {}).items():
        directory = workspaces / place.user / place.workspace
        for run in filter(asked.asks, unsure):
            _compare_asked(found, place, run, directory, must_be_there=False)
    return found


def _compare_asked(
    found: Effects, place: Place, run: int, directory: Path, *, must_be_there: bool
) -> None:
    lines, wanted = asked.found(directory, place.number, run), set(
        asked.approved(place.number, run)
    )
    found.doubles += [line for line, count in lines.items() if count > 1]
    found.unapproved += sorted(set(lines) - wanted)
    if must_be_there:
        found.lost += sorted(wanted - set(lines))


def _compare(found: Effects, place: Place, lines: list[str], wanted: list[str]) -> None:
    where = f"{place.user}/{place.workspace}, session {place.number}"
    found.doubles += [f"{where}: {line}" for line, count in Counter(lines).items() if count > 1]
    missing = sorted(set(wanted) - set(lines))
    found.lost += [f"{where}: {line}" for line in missing]
    of_these = [line for line in dict.fromkeys(lines) if line in set(wanted)]
    if not missing and of_these != wanted:
        found.swapped.append(f"{where}: {of_these}")


def _lines(path: Path, start: str) -> list[str]:
    text = path.read_text() if path.exists() else ""
    return [line for line in text.splitlines() if line.startswith(start)]
