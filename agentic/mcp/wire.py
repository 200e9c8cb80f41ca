"""Standard input and output as MCP's wire, which nothing else of this process reads or writes.

Whoever waits there for a line, or for a reader, can be cancelled: the thread that does it is left behind.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import FileIO
from threading import Thread
from typing import BinaryIO, TypeVar

from anyio import ClosedResourceError

from agentic.api.transport import MOST
from agentic.terminal.output import UnreadError, unwritten

T = TypeVar("T")


class Wire:
    """The lines that come, and a place for those that go.

    The lines end when their sender ends, or where one that goes cannot be written: `fault` is there then.
    """

    def __init__(self, source: BinaryIO, sink: FileIO) -> None:
        """`sink` has no buffer: nothing of it is written later, when nobody reads any more."""
        self._source = source
        self._sink = sink
        self._reading: asyncio.Future[bytes] | None = None
        self.fault: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield line after line; one of more than MOST bytes comes in parts."""
        while line := await self._line():
            yield line

    async def _line(self) -> bytes:
        if self.fault is not None:
            return b""
        self._reading = _left_behind(partial(self._source.readline, MOST))
        try:
            return await self._reading
        except OSError as error:
            self.fault = error
            return b""

    async def write(self, text: str) -> None:
        """Write a whole line; raise ClosedResourceError, with `fault` set, where that is not possible."""

        def work() -> None:
            left = memoryview(text.encode())
            while left:
                left = left[self._sink.write(left) :]

        try:
            await _left_behind(work)
        except OSError as error:
            is_unread = isinstance(error, BrokenPipeError)
            self.fault = UnreadError() if is_unread else unwritten(error)
            if self._reading is not None and not self._reading.done():
                self._reading.set_result(b"")
            raise ClosedResourceError from error


@contextmanager
def taken() -> Iterator[Wire]:
    """Take the standard streams for the wire alone, and give them back.

    Meanwhile whatever else is read is empty, and whatever else is printed, by a child as well, goes to
    standard error.
    """
    sys.stdout.flush()
    kept = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        # never closed: a thread that was left behind may still use them
        yield Wire(os.fdopen(kept[0], "rb", closefd=False), FileIO(kept[1], "w", closefd=False))
    finally:
        sys.stdout.flush()
        for number, own in enumerate(kept):
            os.dup2(own, number)


def _left_behind(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do what may take for ever in a thread that nobody waits for, not even the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        try:
            outcome = partial(done.set_result, work())
        except OSError as error:
            outcome = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, outcome)

    Thread(target=run, daemon=True, name="MCP wire").start()
    return done
