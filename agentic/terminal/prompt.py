"""Reads a person's lines: at a terminal with a prompt and a history, else from standard input."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Protocol

try:
    import readline
except ImportError:  # some builds of Python have none: lines are read without a history then
    readline = None  # type: ignore[assignment]

Handler = Callable[[int, FrameType | None], object]
KEPT = 1000
"""Lines of history."""
MOMENT = 0.2
"""Seconds."""


class Reader(Protocol):
    """Reads a person's lines."""

    def read(self, label: str) -> str | None:
        """Return a line; None where there is none any more. Raises Interrupted at Ctrl-C."""
        ...


class Interrupted(Exception):
    """Ctrl-C came while a line was awaited."""


class Stopped(Exception):
    """A signal that ends the command came while a line was awaited."""


class Prompt:
    """Reads lines in the main thread: it holds up the event loop, in which nothing waits then.

    (A thread that reads cannot be stopped: it would take the next line, or keep the command from
    ending.)
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")

    def read(self, label: str, *, remember: bool = False) -> str | None:
        """Return a line without its end, None after the last one.

        Raises Interrupted at Ctrl-C, and Stopped at a signal that ends the command.
        """
        try:
            # the timer is outside: it must have ended whatever signal comes
            with _looking_up() if self.is_terminal else nullcontext(), own_signals() as stop:
                try:
                    line = self._line(label)
                finally:
                    stop.ends_wait = False
        except EOFError:
            return None
        except KeyboardInterrupt:
            raise Interrupted from None
        if remember and self.is_terminal and readline is not None:
            readline.add_history(line)
        return line

    def answer(self, _question: str) -> str | None:
        """Return the answer to a question that stands above; an empty line is none."""
        while (line := self.read("answer> ")) == "":
            pass
        return line

    def _line(self, label: str) -> str:
        if self.is_terminal:
            return input(label)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")


@contextmanager
def remembered(path: Path) -> Iterator[None]:
    """Offer the lines of earlier conversations, and keep this one's; for its owner's eyes only.

    Raises OSError where the file cannot be used.
    """
    if readline is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    readline.read_history_file(path)
    readline.set_history_length(KEPT)
    readline.set_auto_history(False)  # an answer to a question may be a secret
    try:
        yield
    finally:
        readline.write_history_file(path)


class Stop:
    """Handles signals that end the command: they end the wait, and never the clean-up after it.

    A terminal that is closed ends the input, and sends its signal a moment later.
    """

    def __init__(self) -> None:
        self.ends_wait = True
        self.has_come = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Raise Stopped while something is awaited, once."""
        self.has_come = True
        if self.ends_wait:
            self.ends_wait = False
            raise Stopped


@contextmanager
def own_signals(interrupt: Handler = signal.default_int_handler) -> Iterator[Stop]:
    """Have signals end the wait for a person at once: the loop, which waits itself, heard them after it.

    `interrupt` is what Ctrl-C does meanwhile. Raises Stopped, at the end of the wait at the latest.
    """
    wakeup, stop = signal.set_wakeup_fd(-1), Stop()
    handlers: dict[signal.Signals, Handler] = {signal.SIGINT: interrupt}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            handlers[number] = stop
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        stop.ends_wait = False
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        if stop.has_come:
            raise Stopped


@contextmanager
def _looking_up() -> Iterator[None]:
    """Have the wait for a key looked up from every moment: whether a signal came just before it.

    Python notes a signal, and has its handler run when the system call ends that it is in. One that
    comes between the prompt and that call was heard only after the line.
    """
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, MOMENT, MOMENT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
