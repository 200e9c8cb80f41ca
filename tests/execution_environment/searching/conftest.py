"""A search process, what is searched, and how long it may take."""

import os
import time

import pytest

from common.errors import SystemFault
from execution_environment.searching.processes import SearchProcess
from execution_environment.searching.searchers import Searchers
from execution_environment.searching.worker import Request


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
