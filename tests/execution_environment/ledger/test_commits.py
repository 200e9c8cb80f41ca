"""Group commit: one transaction for all that come together, and to each call an outcome of its own."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from common.errors import ClientError
from execution_environment.ledger.commits import Commits


class Transactions:
    """A database of numbers, whose first transaction stays open until the rest have come."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        self.entered, self.gate = threading.Event(), threading.Event()
        self.groups, self.failures, self.begun = [], {}, 0
        """What each transaction has written; which of them fail, and how."""
        self.refusals = {}
        """Which of them cannot even begin, and why."""

    @contextmanager
    def writing(self):
        """Lend the connection for one transaction."""
        self.entered.set()
        assert self.gate.wait(10)
        self.begun += 1
        if self.begun in self.refusals:
            raise self.refusals[self.begun]
        before = self.numbers()
        self.connection.execute("BEGIN")
        try:
            yield self.connection
            if self.begun in self.failures:
                raise self.failures[self.begun]
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.groups.append(sorted(self.numbers() - before))

    def numbers(self):
        """Return what was written."""
        return {number for (number,) in self.connection.execute("SELECT number FROM numbers")}


@pytest.fixture
def transactions(tmp_path):
    """A database, closed at the end."""
    transactions = Transactions(tmp_path / "numbers")
    with closing(transactions.connection):
        yield transactions


def failure_of(code, message="database is locked"):
    """Return an error as SQLite raises it."""
    failure = sqlite3.OperationalError(message)
    failure.sqlite_errorcode = code
    return failure


def write(number, failure=None):
    """Return work that writes a number, and may fail afterwards."""

    def work(connection):
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        if failure is not None:
            raise failure
        return number

    return work


def together(transactions, first, *others):
    """Commit the first, and the others at once after it; return what became of each of those."""
    commits = Commits(transactions.writing)

    def run(work):
        try:
            return commits.run(work)
        except (ClientError, MemoryError, sqlite3.Error) as failure:
            return failure

    with ThreadPoolExecutor(1 + len(others)) as threads:
        leader = threads.submit(run, first)
        assert transactions.entered.wait(10)
        followers = [threads.submit(run, work) for work in others]
        while len(commits._waiting) < len(others):
            assert not any(follower.done() for follower in followers)
        transactions.gate.set()
        leader.result(10)
        return [follower.result(10) for follower in followers]


def test_what_comes_together_shares_a_transaction(transactions):
    """Alone, the first waits for nobody; those who come meanwhile need one sync for all."""
    assert together(transactions, write(0), *map(write, range(1, 9))) == list(range(1, 9))
    assert transactions.groups == [[0], list(range(1, 9))]


def test_work_that_fails_undoes_only_itself(transactions):
    """A call that is fenced, or has no room, is no concern of those that come with it."""
    fenced = ClientError("fenced", "A newer owner has been seen")
    assert together(transactions, write(0), write(1), write(2, fenced), write(3)) == [1, fenced, 3]
    assert transactions.groups == [[0], [1, 3]]


@pytest.mark.parametrize(
    "full",
    [
        sqlite3.OperationalError("database or disk is full"),
        MemoryError("no memory"),
        failure_of(sqlite3.SQLITE_BUSY),
    ],
)
def test_a_commit_that_fails_is_done_again_one_by_one(transactions, full):
    """Each has an outcome of its own, and a known one: nothing of the shared one has happened."""
    transactions.failures = {2: full, 4: full}  # the shared one, and the second of those alone
    outcomes = together(transactions, write(0), write(1), write(2), write(3))
    kept = [outcome for outcome in outcomes if outcome is not full]
    assert len(kept) == 2
    assert transactions.numbers() == {0, *kept}


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY])
def test_a_group_that_another_process_keeps_from_beginning_waits_once(transactions, code):
    """One after another, each would wait as long again, and all others behind them."""
    busy = failure_of(code)
    transactions.refusals = {2: busy}
    assert together(transactions, write(0), write(1), write(2), write(3)) == [busy] * 3
    assert (transactions.begun, transactions.numbers()) == (2, {0})


def test_a_group_that_cannot_begin_for_another_reason_is_done_one_by_one(transactions):
    """That takes no time, and may be over."""
    transactions.refusals = {2: failure_of(sqlite3.SQLITE_FULL)}
    assert together(transactions, write(0), write(1), write(2)) == [1, 2]
    assert transactions.numbers() == {0, 1, 2}


def test_work_that_ends_the_shared_transaction_takes_nothing_of_others_with_it(transactions):
    """A statement may fail for all: what others had done before in it is done again."""
    outcomes = together(transactions, write(0), write(1), write(2), write(2), write(3))
    assert (outcomes[0], outcomes[3]) == (1, 3)
    assert {type(outcome) for outcome in outcomes[1:3]} == {int, sqlite3.IntegrityError}
    assert transactions.numbers() == {0, 1, 2, 3}
