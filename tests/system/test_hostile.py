"""Sixteen attackers who want all of the service for ever, and one caller who wants to read a file."""

import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.system import hostile
from tests.system.hostile_connections import ATTACKS
from tests.system.services import execution_environment

CALLERS = 12
"""Who have the token; beside them go four attacks on connections, which need none."""
SECONDS = 4.0
ROUNDS = 3
"""Of load: on a machine that is busy with something else too, the best of them counts."""
GRACE = 1
READ_WITHIN = 0.250
LIVE_WITHIN = 0.050
"""Seconds for 99 of 100, beside ten times what they take on this machine without the load."""
MAX_GROWTH = 400
"""MiB, with eight calls of the hostile user at work on files of 8 MiB at the same time."""


@pytest.fixture
def service(tmp_path):
    """An execution environment with a workspace of each user."""
    service = execution_environment(tmp_path, EXEC_ENV_SHUTDOWN_GRACE=str(GRACE))
    workspaces = tmp_path / "data" / "workspaces"
    hostile.prepare(workspaces / "eve" / "demo")
    (workspaces / "local" / "demo").mkdir(parents=True)
    (workspaces / "local" / "demo" / "x").write_text("honest\n" * 100)
    yield service.start()
    service.kill()


class Reader:
    """Asks for the same again and again, with a pause in between, and notes how long it takes."""

    def __init__(self, caller, ask):
        self._caller = caller
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._taken = []
        self._thread.start()

    def _go_on(self):
        with closing(self._caller):
            while not self._stop.wait(0.002):
                begun = time.monotonic()
                status, body = self._ask(self._caller)
                self._taken.append(time.monotonic() - begun)
                assert status == 200, body

    def percentile(self) -> float:
        """Stop, and return the seconds that 99 of 100 took at most."""
        self._stop.set()
        self._thread.join()
        return float(sorted(self._taken)[len(self._taken) * 99 // 100])


def memory(pid: int, field: str) -> float:
    """Return what the process uses, or used at most, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {field}")


def children(pid: int) -> list[str]:
    """Return the processes that a process has started."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [child for thread in threads for child in (thread / "children").read_text().split()]


def measured(port: int, seconds: float) -> tuple[float, float]:
    """Return what 99 of 100 reads took at most, and as many questions whether it lives."""
    body = hostile.call_of("local", "read_file", timeout=10, path="x")
    read = Reader(hostile.Caller(port), lambda caller: caller.call(body))
    live = Reader(hostile.Caller(port), lambda caller: caller.get("/health/live"))
    time.sleep(seconds)
    return read.percentile(), live.percentile()


def best_of(port: int, within: tuple[float, float]) -> tuple[float, float]:
    """Measure until both are within their bounds, a few times at most; return the last."""
    for _ in range(ROUNDS):
        taken = measured(port, SECONDS)
        if taken[0] < within[0] and taken[1] < within[1]:
            break
    return taken


@pytest.mark.alone
def test_hostile_callers_keep_nobody_waiting(service, capsys):
    """A deadline binds what is computed: others are served meanwhile, and SIGTERM ends all of it."""
    quiet = measured(service.port, 1)
    within = (READ_WITHIN + 10 * quiet[0], LIVE_WITHIN + 10 * quiet[1])
    before = memory(service.process.pid, "VmRSS")
    load = hostile.Load(service.port, CALLERS)
    busy = best_of(service.port, within)
    grown = memory(service.process.pid, "VmHWM") - before
    searching = children(service.process.pid)
    begun = time.monotonic()
    code = service.stop()
    ended = time.monotonic() - begun
    codes = load.stop()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{CALLERS} hostile callers and {len(ATTACKS)} connections, {len(codes)} calls, the longest"
            f" {max(taken for _, taken in codes):.1f} s: 99 of 100 reads within"
            f" {_ms(busy[0], quiet[0])}, of live within {_ms(busy[1], quiet[1])};"
            f" memory grew by {grown:.0f} MiB; gone {ended:.1f} s after SIGTERM\n"
        )
    assert busy[0] < within[0]
    assert busy[1] < within[1]
    assert grown < MAX_GROWTH
    assert (code, ended < 2 * GRACE + 1) == (0, True)
    assert searching
    assert not any(Path(f"/proc/{pid}").exists() for pid in searching)
    assert {code for code, _ in codes} >= {"deadline_exceeded", "ok"}


def _ms(busy: float, quiet: float) -> str:
    return f"{busy * 1000:.0f} ms ({quiet * 1000:.0f} without them)"
