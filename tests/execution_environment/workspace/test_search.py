"""Files on their way to the processes that search: opened in lots, and all closed again."""

import math
import os

import pytest

from common.errors import SystemFault
from execution_environment.searching.matching import Occurrences
from execution_environment.searching.worker import MAX_FILES
from execution_environment.workspace import search
from execution_environment.workspace.search import Query, Search
from tests.execution_environment.conftest import workspace_over

QUERY = Query("x", literal=False, ignore_case=False, context=0, limit=10)
FILES = 2 * MAX_FILES + 1


class Searchers:
    """Finds each file's own text, and notes how many files are open before and after `meanwhile`."""

    def __init__(self, failing=0):
        self.open = []
        self._failing = failing

    def search(self, _user, _request, files, _check, meanwhile):
        self._failing -= 1
        before = opened()
        meanwhile()
        self.open.append((before, opened()))
        if self._failing == 0:
            raise SystemFault("unavailable", "died")
        return [Occurrences(total=int(os.pread(file, 9, 0)), shown=[]) for file in files]


def opened():
    """Return how many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def searched(parts, demo):
    """Return what searches three lots of files, one of them gone, and tells what it has found."""
    for number in range(FILES):
        (demo / f"{number:03}").write_text(f"{number}")
    reader = workspace_over(parts.sandbox).reader

    def searched(searchers):
        entries = list(reader.files_beneath(".")[1])
        (demo / "001").unlink()
        found = Search(reader.root, reader.limits, searchers).run(QUERY, entries)
        return [one and one["total"] for _, one in found]

    return searched


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Files are found at once, however busy the machine is."""
    monkeypatch.setattr(search, "QUICK", math.inf)


def test_lots_are_opened_while_those_before_are_searched(searched):
    searchers, before = Searchers(), opened()
    assert searched(searchers) == [0, None, *range(2, FILES)]
    counted = [(first - before, then - before) for first, then in searchers.open]
    most, gone, last = MAX_FILES, MAX_FILES - 1, 1
    assert counted == [(gone, gone + most), (most, most + last), (last, last)]


def test_lots_that_are_long_in_coming_hold_nobody_up(searched, monkeypatch):
    """A glob lets few files through: a process, and its place, were held through all of the walk."""
    monkeypatch.setattr(search, "QUICK", 0)
    searchers, before = Searchers(), opened()
    assert searched(searchers) == [0, None, *range(2, FILES)]
    most, gone, last = MAX_FILES, MAX_FILES - 1, 1
    counted = [(first - before, then - before) for first, then in searchers.open]
    assert counted == [(gone, gone), (most, most), (last, last)]


def test_what_keeps_files_from_being_opened_is_no_fault_of_who_searches(parts, demo):
    """Its process was ended, and the user charged with it."""
    reader = workspace_over(parts.sandbox).reader
    for number in range(MAX_FILES + 1):
        (demo / f"{number:03}").write_text(f"{number}")
    entries = list(reader.files_beneath(".")[1])

    def walked():
        yield from entries
        raise SystemFault("deadline_exceeded", "late")

    searchers = Searchers()
    found = Search(reader.root, reader.limits, searchers).run(QUERY, walked())
    with pytest.raises(SystemFault, match="late"):
        list(found)
    assert len(searchers.open) == 1  # it has searched to the end


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_nothing_is_left_open_of_a_search_that_fails(searched, failing):
    before = opened()
    with pytest.raises(SystemFault):
        searched(Searchers(failing))
    assert opened() == before
