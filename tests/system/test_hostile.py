"""Sixteen attackers who want all of the service for ever, and one caller who wants to read a file."""

import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system import hostile
from tests.system.hostile_connections import ATTACKS
from tests.system.services import execution_environment

CALLERS = 12
"""Who have the token; beside them go four attacks on connections, which need none."""
SECONDS = 20.0
"""Of load: a hundred reads and more, so that no single one decides."""
GRACE = 1
READ_WITHIN = 7.5
"""Beats of this machine for 95 of 100: they take four to six, and eight or more when one user gets all
threads."""
LIVE_WITHIN = 4.0
"""Beats for 99 of 100: two to three, and five or more when threads take turns as seldom as Python lets
them by itself."""
BEAT = 1_000_000
ADDED_AT_ONCE = 20_000
"""Additions in a beat (40 ms on a machine that is not slow), of which so many are timed at a time."""
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


class Repeated:
    """Does the same again and again, with a pause in between, and notes how long it takes."""

    def __init__(self, act, pause=0.002):
        self._act = act
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._taken = []
        self._thread.start()

    def _go_on(self):
        while not self._stop.wait(self._pause):
            begun = time.monotonic()
            self._act()
            self._taken.append(time.monotonic() - begun)

    def percentile(self, percent: int) -> float:
        """Stop, and return the seconds that so many of 100 took at most."""
        self._stop.set()
        self._thread.join()
        return float(sorted(self._taken)[len(self._taken) * percent // 100])


class Reader(Repeated):
    """Asks for the same again and again, on a connection of its own."""

    def __init__(self, port, ask):
        self._caller = hostile.Caller(port)
        self._ask = ask
        super().__init__(self._answered)

    def _answered(self):
        status, body = self._ask(self._caller)
        assert status == 200, body

    def percentile(self, percent: int) -> float:
        """Stop, hang up, and return the seconds that so many of 100 took at most."""
        with closing(self._caller):
            return super().percentile(percent)


def add():
    """Compute a part of a beat: what a second is worth here, and now, shows in how long it takes."""
    total = 0
    for number in range(ADDED_AT_ONCE):
        total += number


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


def search(port: int) -> None:
    """Have a process search: those of the hostile user may all be worn out for this minute."""
    body = hostile.call_of("local", "search_files", timeout=10, path="x", pattern="honest")
    with closing(hostile.Caller(port)) as caller:
        status, answer = caller.call(body)
    assert status == 200, answer


class Measured(NamedTuple):
    """What 95 of 100 reads took at most, and 99 of 100 questions whether it lives; in beats."""

    read: float
    live: float
    beat: float
    """Seconds, half of the time at most, while the others were measured."""

    def __str__(self) -> str:
        return f"{self.read:.1f} and {self.live:.1f} beats of {self.beat * 1000:.0f} ms"


def measured(port: int, seconds: float) -> Measured:
    """Read and ask for so long."""
    body = hostile.call_of("local", "read_file", timeout=10, path="x")
    read = Reader(port, lambda caller: caller.call(body))
    live = Reader(port, lambda caller: caller.get("/health/live"))
    adding = Repeated(add, pause=0.01)
    time.sleep(seconds)
    beat = adding.percentile(50) * BEAT / ADDED_AT_ONCE
    return Measured(read.percentile(95) / beat, live.percentile(99) / beat, beat)


@pytest.mark.alone
def test_hostile_callers_keep_nobody_waiting(service, capsys):
    """A deadline binds what is computed: others are served meanwhile, and SIGTERM ends all of it."""
    quiet = measured(service.port, 1)
    before = memory(service.process.pid, "VmRSS")
    load = hostile.Load(service.port, CALLERS)
    busy = measured(service.port, SECONDS)
    grown = memory(service.process.pid, "VmHWM") - before
    search(service.port)
    searching = children(service.process.pid)
    begun = time.monotonic()
    code = service.stop()
    ended = time.monotonic() - begun
    codes = load.stop()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{CALLERS} hostile callers and {len(ATTACKS)} connections, {len(codes)} calls, the longest"
            f" {max(taken for _, taken in codes):.1f} s: 95 of 100 reads, and 99 looks whether it lives,"
            f" within {busy} ({quiet} without them);"
            f" memory grew by {grown:.0f} MiB; gone {ended:.1f} s after SIGTERM\n"
        )
    assert busy.read < READ_WITHIN
    assert busy.live < LIVE_WITHIN
    assert grown < MAX_GROWTH
    assert (code, ended < 2 * GRACE + 1) == (0, True)
    assert searching
    assert not any(Path(f"/proc/{pid}").exists() for pid in searching)
    assert {code for code, _ in codes} >= {"deadline_exceeded", "ok"}
