"""Searching in processes: stopped at the deadline, replaced when lost, shared among users."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from common.errors import AgenticError, SystemFault
from execution_environment.searching.processes import SearchProcess
from execution_environment.searching.searchers import MAX_KILLS, Searchers
from execution_environment.searching.worker import Request, serve
from tests.execution_environment.searching.patterns import SLOW, slow_text
from tests.system.services import wait_until

ROOT = Path(__file__).parents[3]
ORPHANING = """
import time
from execution_environment.searching.processes import SearchProcess
process = SearchProcess()
print(process._process.pid, flush=True)
time.sleep(60)
"""
BUSY = """
import sys
from execution_environment.searching import worker
worker.MAX_SECONDS = 0
worker.main(int(sys.argv[1]))
"""


class Observed(SearchProcess):
    """A process whose id can be seen."""

    @property
    def pid(self) -> int:
        return self._process.pid


@pytest.fixture
def started():
    """The processes that were started, in order."""
    return []


@pytest.fixture
def searchers(started):
    """One process for all."""

    def start():
        started.append(Observed())
        return started[-1]

    searchers = Searchers(1, start)
    yield searchers
    searchers.close()
    assert not any(process.is_alive for process in started)


def file_of(data: bytes) -> int:
    """Return the descriptor of an open file; whoever gets it closes it."""
    descriptor = os.memfd_create("searched")
    os.write(descriptor, data)
    return descriptor


def request(pattern, *, context=0, limit=10, max_shown=1000, max_read=1_000_000) -> Request:
    """Return a request that nothing gets in the way of."""
    return Request(
        pattern=pattern,
        literal=False,
        ignore_case=False,
        context=context,
        limit=limit,
        max_shown=max_shown,
        max_read=max_read,
    )


def clock(seconds):
    """Return a clock that raises after so long, as a call's own does."""
    until = time.monotonic() + seconds

    def check():
        if time.monotonic() > until:
            raise SystemFault("deadline_exceeded", "time is up")

    return check


def found(searchers, data=b"a\nba\n", user="ann", pattern="a", seconds=30.0):
    """Search one file."""
    descriptor = file_of(data)
    try:
        [answer] = searchers.search(user, request(pattern), [descriptor], clock(seconds))
        return answer["total"]
    finally:
        os.close(descriptor)


def refused(*arguments, **named) -> AgenticError:
    """Return the error that a search ends with."""
    with pytest.raises(AgenticError) as caught:
        found(*arguments, **named)
    return caught.value


def test_a_process_is_kept_warm(searchers, started):
    """A new one costs as much as many searches."""
    assert [found(searchers), found(searchers, b"aaa"), found(searchers)] == [2, 3, 2]
    assert len(started) == 1


def test_a_pattern_is_stopped_at_the_deadline_and_its_process_replaced(searchers, started):
    """RE2 takes a minute for this one and cannot be interrupted: what runs it has to be killed."""
    begun = time.monotonic()
    error = refused(searchers, slow_text(), pattern=SLOW, seconds=0.3)
    assert error.code == "deadline_exceeded"
    assert time.monotonic() - begun < 5
    assert not started[0].is_alive
    assert (found(searchers), len(started)) == (2, 2)


def test_a_user_who_wears_out_processes_is_refused_and_nobody_else(searchers):
    """Each kill took a core until the deadline, and takes a start."""
    slow = slow_text()
    for _ in range(MAX_KILLS):
        assert refused(searchers, slow, "eve", SLOW, 0.05).code == "deadline_exceeded"
    error = refused(searchers, user="eve")
    assert (error.code, error.retryable, error.context.actual) == ("rate_limited", True, MAX_KILLS)
    assert "simpler patterns" in error.hint
    assert found(searchers, user="ann") == 2


def test_one_user_leaves_a_process_to_others():
    """Whoever waits for one of two gets the other."""
    searchers, begun = Searchers(2), threading.Event()

    def clock_that_tells():
        begun.set()
        if told.is_set():
            raise SystemFault("deadline_exceeded", "time is up")

    told = threading.Event()
    descriptor = file_of(slow_text())
    arguments = ("eve", request(SLOW), [descriptor], clock_that_tells)
    slow = [threading.Thread(target=_swallowed, args=(searchers, *arguments)) for _ in range(4)]
    for thread in slow:
        thread.start()
    begun.wait()
    try:
        assert found(searchers, user="ann") == 2
    finally:
        told.set()
        for thread in slow:
            thread.join()
        os.close(descriptor)
        searchers.close()


def _swallowed(searchers, *arguments):
    with pytest.raises(SystemFault):
        searchers.search(*arguments)


def test_a_process_that_dies_at_work_is_told_and_replaced(searchers, started):
    """The call did nothing; the next one finds a process again."""
    killer = threading.Timer(0.3, lambda: os.kill(started[0].pid, signal.SIGKILL))
    killer.start()
    error = refused(searchers, slow_text(), pattern=SLOW)
    killer.join()
    assert (error.code, error.outcome, error.retryable) == ("unavailable", "not_executed", True)
    assert found(searchers) == 2


def test_a_process_that_died_while_idle_is_replaced_unnoticed(searchers, started):
    """Nobody was using it."""
    found(searchers)
    os.kill(started[0].pid, signal.SIGKILL)
    wait_until(lambda: not started[0].is_alive)
    assert (found(searchers), len(started)) == (2, 2)


def test_a_process_that_cannot_be_started_is_told():
    """A limit on processes, or a wall around the interpreter."""

    def start():
        raise PermissionError(13, "Permission denied")

    assert refused(Searchers(1, start)).code == "unavailable"


def test_a_process_knows_no_secrets(searchers, started, monkeypatch):
    """It reads what anybody put into a file: the service's token is not in its environment."""
    monkeypatch.setenv("EXEC_ENV_SERVICE_TOKEN", "secret")
    found(searchers)
    directory = Path(f"/proc/{started[0].pid}")
    assert (directory / "environ").read_bytes() == b""
    assert {os.readlink(link) for link in (directory / "fd").iterdir()} <= {
        "/dev/null", os.readlink(directory / "fd/2"), *_sockets(directory)
    }  # fmt: skip
    assert len(_sockets(directory)) == 1


def _sockets(directory):
    links = [os.readlink(link) for link in (directory / "fd").iterdir()]
    return [link for link in links if link.startswith("socket:")]


def test_a_process_ends_with_its_starter():
    """Nobody is left to kill it: it reads the end of its socket."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANING], stdout=subprocess.PIPE, cwd=ROOT
    ) as starter:
        pid = int(starter.stdout.readline())
        starter.kill()
    wait_until(lambda: not _runs(pid))


def test_a_process_that_nobody_can_end_any_more_ends_itself():
    """Its starter was killed while it is at work: it would go on for as long as the pattern takes."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        subprocess.Popen(
            [sys.executable, "-c", BUSY, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=ROOT
        ) as process,
    ):
        descriptor = file_of(slow_text())
        socket.send_fds(ours, [json.dumps(request(SLOW)).encode() + b"\n"], [descriptor])
        os.close(descriptor)
        assert process.wait(timeout=30) == -signal.SIGALRM


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_not_text_is_not_searched():
    """Binary, not UTF-8, or longer than may be read: as it has always been."""
    contents = [b"a\0", b"a\xff", b"a" * 11, b"a\r\n"]
    answer = serve(request("a$", max_read=10), [file_of(data) for data in contents])
    assert [item and item["total"] for item in answer["files"]] == [None, None, None, 1]


def test_no_occurrence_is_left_out_in_between():
    """What no longer fits ends the showing, also of shorter lines in later files."""
    contents = [b"a\n", b"a" + b"x" * 50 + b"\n", b"a\n"]
    answer = serve(request("a", max_shown=20), [file_of(data) for data in contents])
    assert [len(item["shown"]) for item in answer["files"]] == [1, 0, 0]
    assert [item["total"] for item in answer["files"]] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_lines_and_columns_are_those_of_a_naive_count(seed):
    """They are counted on from occurrence to occurrence."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    text = "".join(chance.choices("aä\nb", k=chance.randint(0, 60)))
    answer = serve(request("a", context=2, limit=100), [file_of(text.encode())])
    lines = text.split("\n")
    expected = [
        (n, column, line, lines[max(n - 3, 0) : n - 1], lines[n : n + 2])
        for n, line in enumerate(lines, start=1)
        for column, char in enumerate(line, start=1)
        if char == "a"
    ]
    [item] = answer["files"]
    shown = [
        (place["line"], place["column"], place["text"], place["before"], place["after"])
        for place in item["shown"]
    ]
    assert (item["total"], shown) == (len(expected), expected)
