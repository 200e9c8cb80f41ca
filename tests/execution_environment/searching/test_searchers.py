"""Search processes: stopped at the deadline, replaced when lost, shared among users."""

import os
import select
import signal
import threading
import time

import pytest

from common.errors import AgenticError, SystemFault
from execution_environment.searching.searchers import MAX_KILLS, Searchers
from tests.execution_environment.searching.conftest import file_of, found, request
from tests.execution_environment.searching.patterns import SLOW, slow_text
from tests.system.services import wait_until


def refused(*arguments, **named) -> AgenticError:
    """Return the error that a search ends with."""
    with pytest.raises(AgenticError) as caught:
        found(*arguments, **named)
    return caught.value


def test_a_search_process_is_kept_warm(searchers, started):
    """A new one costs as much as many searches."""
    assert [found(searchers), found(searchers, b"aaa"), found(searchers)] == [2, 3, 2]
    assert len(started) == 1


def test_a_search_pattern_is_stopped_at_the_deadline_and_its_process_replaced(searchers, started):
    """RE2 takes a minute for this one and cannot be interrupted: what runs it has to be killed."""
    begun = time.monotonic()
    error = refused(searchers, slow_text(), pattern=SLOW, seconds=0.3)
    assert error.code == "deadline_exceeded"
    assert time.monotonic() - begun < 5
    assert not started[0].is_alive
    assert (found(searchers), len(started)) == (2, 2)


def test_a_user_who_wears_out_search_processes_is_refused_and_nobody_else(searchers):
    """Each kill took a core until the deadline, and takes a start."""
    slow = slow_text()
    for _ in range(MAX_KILLS):
        assert refused(searchers, slow, "eve", SLOW, 0.05).code == "deadline_exceeded"
    error = refused(searchers, user="eve")
    assert (error.code, error.retryable, error.context.actual) == ("rate_limited", True, MAX_KILLS)
    assert "simpler patterns" in error.hint
    assert found(searchers, user="ann") == 2


def test_a_process_that_has_answered_is_not_killed_for_what_went_on_meanwhile(searchers, started):
    """The walk to the next files used the time up: neither the process nor the pattern is at fault."""
    found(searchers)
    is_late = threading.Event()

    def walk():
        assert select.select([started[0]._socket], [], [], 10)[0]
        is_late.set()

    def check_clock():
        if is_late.is_set():
            raise SystemFault("deadline_exceeded", "time is up")

    descriptor = file_of(b"a\nba\n")
    [answer] = searchers.search("ann", request("a"), [descriptor], check_clock, walk)
    os.close(descriptor)
    assert answer["total"] == 2
    assert (searchers._kills, len(started), started[0].is_alive) == ({}, 1, True)


def test_one_users_searches_leave_a_process_to_others():
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


def test_a_search_process_that_dies_at_work_is_told_and_replaced(searchers, started):
    """The call did nothing; the next one finds a process again."""
    killer = threading.Timer(0.3, lambda: os.kill(started[0].pid, signal.SIGKILL))
    killer.start()
    error = refused(searchers, slow_text(), pattern=SLOW)
    killer.join()
    assert (error.code, error.outcome, error.retryable) == ("unavailable", "not_executed", True)
    assert found(searchers) == 2


def test_a_search_process_that_died_while_idle_is_replaced_unnoticed(searchers, started):
    """Nobody was using it."""
    found(searchers)
    os.kill(started[0].pid, signal.SIGKILL)
    wait_until(lambda: not started[0].is_alive)
    assert (found(searchers), len(started)) == (2, 2)


def test_a_search_process_that_cannot_be_started_is_told():
    """A limit on processes, or a wall around the interpreter."""

    def start():
        raise PermissionError(13, "Permission denied")

    assert refused(Searchers(1, start)).code == "unavailable"
