"""The processes that search: one per core, kept warm, shared among users, replaced when killed."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from common.errors import ClientError, SystemFault, ToolError
from common.shares import Shares
from execution_environment.searching.matching import Occurrences
from execution_environment.searching.processes import LOOK, SearchProcess
from execution_environment.searching.worker import MAX_SECONDS, Request

MAX_KILLS = 5
KILLS_WITHIN = 60.0
"""So many processes may one user wear out in so many seconds: each took a core, and takes a start."""

Clock = Callable[[], None]
"""Raises once a call's time is up."""


class Searchers:
    """Starts a process when one is needed for the first time, and keeps it."""

    def __init__(
        self, size: int | None = None, start: Callable[[], SearchProcess] = SearchProcess
    ) -> None:
        """`size` is how many there may be; None: as many as there are cores for us."""
        self._start = start
        self._idle: list[SearchProcess] = []
        self._shares = Shares(size or len(os.sched_getaffinity(0)))
        self._changed = threading.Condition()
        self._kills: dict[str, list[float]] = {}

    def search(
        self,
        user: str,
        request: Request,
        files: Sequence[int],
        check_clock: Clock,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Occurrences | None]:
        """Return what is found in each of some open files, None for those that were not searched.

        `meanwhile` is called while they are searched.
        Raises `invalid_pattern`; `deadline_exceeded`; `rate_limited` for a user who has worn out
        too many processes; `unavailable` when a process dies or cannot be started.
        """
        self._require_patience(user)
        try:
            with self._place(user, check_clock), self._process(user) as process:
                answer = process.ask(request, files, partial(_bounded, check_clock), meanwhile)
        except (OSError, EOFError) as error:
            raise SystemFault(
                "unavailable", "The process that searched has died", outcome="not_executed"
            ) from error
        if answer["invalid"] is not None:
            raise ToolError("invalid_pattern", f"The pattern is not valid: {answer['invalid']}")
        return answer["files"]

    def close(self) -> None:
        """End the processes; those that are at work are ended by whoever waits for them."""
        with self._changed:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    @contextmanager
    def _place(self, user: str, check_clock: Clock) -> Iterator[None]:
        with self._changed:
            while not self._shares.take(user):
                check_clock()
                self._changed.wait(LOOK)
        try:
            yield
        finally:
            with self._changed:
                self._shares.give(user)
                self._changed.notify_all()

    @contextmanager
    def _process(self, user: str) -> Iterator[SearchProcess]:
        """Yield a process that is idle, or a new one; whatever goes wrong with it is its end."""
        process = self._taken() or self._start()
        try:
            yield process
        except BaseException:
            process.end()
            self._note_kill(user)
            raise
        with self._changed:
            self._idle.append(process)

    def _taken(self) -> SearchProcess | None:
        with self._changed:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.end()
        return None

    def _note_kill(self, user: str) -> None:
        with self._changed:
            self._kills = {name: recent for name in self._kills if (recent := self._recent(name))}
            self._kills.setdefault(user, []).append(time.monotonic())

    def _recent(self, user: str) -> list[float]:
        since = time.monotonic() - KILLS_WITHIN
        return [when for when in self._kills.get(user, ()) if when > since]

    def _require_patience(self, user: str) -> None:
        with self._changed:
            kills = len(self._recent(user))
        if kills >= MAX_KILLS:
            raise ClientError(
                "rate_limited",
                f"{kills} searches had to be killed within {KILLS_WITHIN:g} seconds",
                hint="Wait a minute; then use simpler patterns, or narrow path and glob.",
                limit=MAX_KILLS,
                actual=kills,
            )


def _bounded(check_clock: Clock) -> Clock:
    """Return a clock that ends a request after MAX_SECONDS, however far off the deadline is."""
    until = time.monotonic() + MAX_SECONDS

    def check() -> None:
        check_clock()
        if time.monotonic() >= until:
            raise SystemFault(
                "deadline_exceeded",
                f"The pattern takes longer than {MAX_SECONDS} seconds on one lot of files",
                hint="Use a simpler pattern, or search less: path and glob narrow it.",
                outcome="not_executed",
            )

    return check
