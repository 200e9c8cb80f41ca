"""Where the command prints: standard output and error, and what happens when they cannot be written."""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic_core import to_jsonable_python
from rich.console import Console


class UnreadError(Exception):
    """Nobody reads any more what is printed."""


class OutputError(Exception):
    """Standard output cannot be written; the message says why."""


class Output(Console):
    """Plain text to standard output or error: no markup, nothing highlighted.

    When its reader has gone, one that `goes_on` prints no more; any other raises UnreadError.
    """

    def __init__(self, *, stderr: bool = False, goes_on: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)
        self._goes_on = goes_on
        if isinstance(self.file, io.TextIOWrapper):
            self.file.reconfigure(errors="backslashreplace")  # not everybody's terminal has UTF-8

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        with _written():
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Do without the reader that has gone."""
        if not self._goes_on:
            raise UnreadError
        self.quiet = True
        discard()

    def json(self, value: Any) -> None:
        """Print models as one line of JSON, in ASCII: it is shown on terminals, too."""
        line = json.dumps(to_jsonable_python(value), separators=(",", ":"))
        self.raw(f"{line}\n".encode())

    def raw(self, data: bytes) -> None:
        """Print bytes as they are."""
        with _written():
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                self.on_broken_pipe()


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritten(error) from error


def unwritten(error: OSError) -> OutputError:
    """Return what a failed write is to the command."""
    return OutputError(f"standard output cannot be written: {error.strerror}")


def discard() -> None:
    """Have what was not yet written go nowhere: it would fail again when the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
