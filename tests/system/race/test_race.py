"""The race against a real process: eight clients call while a C program swaps what they name.

`make race SECONDS=60` races that long per group of shapes; without the variable, a few seconds.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from tests.system.race.clients import Race, Tally, client_of
from tests.system.race.operations import Operation, offered_by, operations
from tests.system.race.shapes import GROUPS, Shape, shapes_of
from tests.system.race.swapping import Swapper, swapping
from tests.system.services import wait_until

SECONDS = float(os.environ.get("SECONDS") or 5)
CONTROL_SECONDS = 60.0
SETTLED = 15.0
"""Seconds until nothing of the last calls is left in staging."""
LEAST_SWAPS = 1000
AFTERWARDS = (
    ("write_file", {"path": "f", "content": "whole", "mode": "upsert"}),
    ("read_file", {"path": "f"}),
)


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("group", GROUPS)
async def test_no_swap_lets_a_call_out(group, ground, service, swapper_binary, report):
    """Reads see the inside or are refused; changes land inside or nowhere."""
    shapes = shapes_of(group, ground.directory, "neighbour")
    for shape in shapes:
        shape.mend(ground.workspaces)
    async with client_of(service) as client:
        offered = await offered_by(client)
    calls = [call for shape in shapes for call in operations(shape, offered)]
    tally = Tally(ground.outside, os.fsencode(ground.top))
    before = ground.outside.facts()
    pairs = [shape.pair(ground.workspaces) for shape in shapes]
    with swapping(swapper_binary, pairs, SECONDS) as swapper:
        await Race(calls, SECONDS, tally).run(service, lambda: _mend(swapper, shapes, ground))
    swaps = dict(zip(shapes, swapper.swaps, strict=True))
    _report(report, swaps, sorted({call.name for call in calls}), tally)
    assert ground.outside.facts() == before
    assert tally.violations == []
    for shape in shapes:
        assert swaps[shape] > LEAST_SWAPS, f"{shape.name} was hardly swapped"
        assert tally.total("done", shape.name) > 0, f"nothing was done on {shape.name}"
        assert tally.total("refused", shape.name) > 0, f"nothing was refused on {shape.name}"
    for shape in shapes:
        shape.settle(ground.workspaces)
    await _require_whole(service, ground, ["after", *(shape.name for shape in shapes)])


def _mend(swapper: Swapper, shapes: list[Shape], ground) -> None:
    with swapper.paused():
        for shape in shapes:
            with suppress(OSError):  # a call was in between: next time
                shape.mend(ground.workspaces)


def _report(report, swaps: dict[Shape, int], names: list[str], tally: Tally) -> None:
    for shape, count in swaps.items():
        report(f"{shape.name:<18}{_outcomes(tally, shape.name)}{count:>12} swaps")
    for name in names:
        report(f"  {name:<16}{_outcomes(tally, name)}")


def _outcomes(tally: Tally, place: str) -> str:
    return f"{tally.total('done', place):>8} / {tally.total('refused', place):<8}"


async def _require_whole(service, ground, workspaces: list[str]) -> None:
    """The service still answers, has left nothing behind, and kept nothing of the outside.

    A change that was cut short in the middle (`unknown`) keeps what it has staged until the next
    call of its workspace completes it, or gives it up: so each gets one.
    """
    async with client_of(service) as client:
        assert (await client.get("/health/ready")).status_code == 200
        for workspace, (name, arguments) in product(workspaces, AFTERWARDS):
            response = await client.send(Operation(workspace, name, arguments).request(client))
            assert response.status_code == 200, response.text
    assert _what_stays(lambda: _rests(ground.data / "state" / "staging")) == []
    assert _what_stays(lambda: _open_entries(service.process.pid, ground)) == []
    assert service.stop() == 0
    assert ground.outside.leaks_in(ground.data) == []
    assert ground.outside.leak(service.log.read_bytes()) is None


def _what_stays(look: Callable[[], list[str]]) -> list[str]:
    """What is found after a while, or nothing as soon as nothing is."""
    with suppress(AssertionError):  # says only that it took too long
        wait_until(lambda: not look(), SETTLED)
    return look()


def _rests(staging: Path) -> list[str]:
    """Everything in the staging directories of all processes."""
    found = [(Path(folder), names + files) for folder, names, files in os.walk(staging)]
    return [str(folder / name) for folder, names in found if folder != staging for name in names]


def _open_entries(process: int, ground) -> list[str]:
    """What the service holds open of the ground: no call is running any more."""
    links = []
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(os.readlink(descriptor))
    return [
        link for link in links if link.startswith((str(ground.workspaces), str(ground.directory)))
    ]


def _naive_read(root: Path, path: str) -> bytes:
    """What most file servers do: look where the path leads, then open it."""
    real = os.path.realpath(root / path)
    if os.path.commonpath([real, root]) != str(root):
        return b""
    return Path(real).read_bytes()


def test_the_naive_way_escapes_in_the_same_harness(ground, swapper_binary, report):
    """If this one held, the race above would show nothing."""
    shape = shapes_of("links", ground.directory, "neighbour")[0]
    shape.mend(ground.workspaces)
    reads, started = 0, time.monotonic()
    with swapping(swapper_binary, [shape.pair(ground.workspaces)], CONTROL_SECONDS):
        while time.monotonic() < started + CONTROL_SECONDS:
            reads += 1
            with suppress(OSError):
                if ground.outside.leak(_naive_read(ground.workspaces / shape.name, shape.files[0])):
                    report(f"the control escaped at its read {reads}")
                    return
    pytest.fail(f"the control did not escape in {reads} reads")
