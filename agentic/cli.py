"""The `agentic` command, until its work begins."""

import os
import signal
import sys

_CLOSED = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
"""How to open what was closed: nothing can be read, output fails as it should, errors go nowhere."""


def main() -> None:
    """Run the command.

    Outside of its work signals do what they do to any program: Ctrl-C, or a reader that has gone,
    ends it at once and quietly, also while what it needs is still being imported.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    _reopen_streams()
    # it takes its time, in which the signals above have to be heard
    from agentic.commands.app import run_app  # noqa: PLC0415

    sys.exit(run_app())


def _reopen_streams() -> None:
    """Open the standard streams that are closed: files that are opened later would take their numbers."""
    for number, (name, mode) in enumerate(_CLOSED):
        if getattr(sys, name) is None:
            os.open(os.devnull, mode)  # it gets the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))
