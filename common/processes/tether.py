"""Ties a process to its starter: where that one is killed, the kernel asks this one to end too.

Run as a script, it stands in for the command until the tie holds, and then becomes it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LEFT_IGNORED = ("SIGPIPE", "SIGXFSZ")
"""Python ignores them, and what is ignored stays so in the command that it becomes."""


def tethered(*command: str) -> list[str]:
    """Return the command line that runs a command which gets SIGTERM, once or more, when we end.

    The thread that starts it has to live as long as the process does: its end counts (prctl(2)).
    """
    script = [sys.executable, "-I", "-S", __file__]
    return [*script, str(os.getpid()), *command]


def tie(starter: int) -> None:
    """Ask for SIGTERM when the process that started us ends; end at once where it has ended."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM)) != 0:
        raise OSError(ctypes.get_errno(), "the process cannot be tied to its starter")
    if os.getppid() != starter:  # it ended before the tie held
        sys.exit(f"process {starter} has ended, and what it started ends with it")


def main(starter: str, *command: str) -> None:
    """Become the command, unless its starter has ended already."""
    tie(int(starter))
    for name in _LEFT_IGNORED:
        signal.signal(signal.Signals[name], signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606  # no shell: the command line is ours


if __name__ == "__main__":
    main(*sys.argv[1:])
