"""Group commit: changes of the ledger that come together share one transaction, and its fsync.

Whoever finds nobody at it commits what has come until then; alone, nobody waits for anybody.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from sqlite3 import Connection
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")


class Writing(Protocol):
    """Lends the connection for one transaction."""

    def __call__(self) -> AbstractContextManager[Connection]:
        """Raise sqlite3.Error, or `no_space`, where the transaction has come to nothing."""
        ...


class Commits:
    """Who waits for a commit, and who is at it: one thread at a time, then one of those who came."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._mutex = threading.Lock()
        self._waiting: list[_Request] = []
        self._is_led = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, maybe with others'; return what it returns, or raise its error.

        It may be done again where a transaction comes to nothing. When this returns, all that it has
        changed is on the disk; when this raises, none of it ever is.
        """
        request = _Request(work)
        with self._mutex:
            self._waiting.append(request)
            leads, self._is_led = not self._is_led, True
        if not leads:
            request.called.acquire()
        if not request.is_done:
            self._lead()
        return cast("T", request.outcome())

    def _lead(self) -> None:
        """Commit what has come, then let the first of those who came meanwhile do the same."""
        with self._mutex:
            group, self._waiting = self._waiting, []
        try:
            self._commit(group)
        finally:
            with self._mutex:
                following = self._waiting[:1]
                self._is_led = bool(following)
            for request in (*following, *group):
                request.called.release()

    def _commit(self, group: list["_Request"]) -> None:
        if len(group) > 1 and self._together(group):
            return
        for request in group:
            request.do(partial(self._alone, request))

    def _together(self, group: list["_Request"]) -> bool:
        """Tell whether each has its outcome; otherwise nothing of it has happened, whatever it was."""
        has_begun = False
        try:
            with self._writing() as connection:
                has_begun = True
                for request in group:
                    request.do_among_others(connection)
        except BaseException as failure:  # noqa: BLE001  # each by itself has an outcome of its own
            if has_begun or not _is_busy(failure):
                return False
            # Another process keeps the database: each by itself would wait as long again.
            for request in group:
                request.fail(failure)
        return True

    def _alone(self, request: "_Request") -> Any:
        with self._writing() as connection:
            return request.work(connection)


class _Request:
    """Work that is to be committed, and what came of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.is_done = False
        self.called = threading.Lock()
        """Free once the work is done, or it is up to its thread to commit."""
        self.called.acquire()
        self._result: Any = None
        self._failure: BaseException | None = None

    def do(self, work: Callable[[], Any]) -> None:
        """Do it, and keep what it returns or raises for the thread that asked."""
        try:
            self._result, self._failure = work(), None
        except BaseException as failure:  # noqa: BLE001  # raised where it was asked for
            self._failure = failure
        self.is_done = True

    def fail(self, failure: BaseException) -> None:
        """Keep what has kept it from being done for the thread that asked."""
        self._failure, self.is_done = failure, True

    def do_among_others(self, connection: Connection) -> None:
        """Do it in a transaction with others': what fails undoes no more than itself.

        Raises sqlite3.Error, after which the transaction may be no more.
        """
        connection.execute("SAVEPOINT work")
        self.do(partial(self.work, connection))
        if isinstance(self._failure, sqlite3.Error):
            raise self._failure
        if self._failure is not None:
            connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")

    def outcome(self) -> Any:
        """Return what the work returned, or raise what it raised."""
        if self._failure is not None:
            raise self._failure
        return self._result


def _is_busy(failure: BaseException) -> bool:
    code = getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # Python's own have none
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
