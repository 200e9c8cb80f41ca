"""One process that searches, as its starter sees it: asked, waited for with an eye on the clock, killed."""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Sequence

from common.processes.isolated import isolated
from execution_environment.searching import worker
from execution_environment.searching.worker import PIECE, Answer, Request

LOOK = 0.05
"""Seconds between two looks at the clock while an answer is waited for."""
_CPUS = sorted(os.sched_getaffinity(0))
"""Those that the service was given: its own threads are kept on one of them."""
_PATIENCE = 5.0
"""Seconds for a process that has nothing else to do to take a request."""


class SearchProcess:
    """Started with nothing but one end of a socket: no environment, which holds secrets, no files."""

    def __init__(self) -> None:
        """Start it; raises OSError when that is not possible."""
        self._socket, theirs = socket.socketpair()
        number = theirs.fileno()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    isolated(worker.__name__, number, *_CPUS),
                    pass_fds=(number,),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={},
                    start_new_session=True,  # Ctrl-C is the service's
                )
        except BaseException:
            self._socket.close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def ask(
        self,
        request: Request,
        files: Sequence[int],
        begin_clock: Callable[[], Callable[[], None]],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Return its answer; raise EOFError or OSError when it dies, and what the clock raises.

        `meanwhile` is called while it is at work; the clock begins when that is done.

        Whoever gets an error has to end the process: it may be at work still.
        """
        line = json.dumps(request).encode() + b"\n"
        self._socket.settimeout(_PATIENCE)
        sent = socket.send_fds(self._socket, [line], files)
        self._socket.sendall(line[sent:])
        self._socket.settimeout(LOOK)
        meanwhile()
        check_clock = begin_clock()
        answer = bytearray()
        while not answer.endswith(b"\n"):
            answer += self._received(check_clock)
        taken: Answer = json.loads(answer)
        return taken

    def _received(self, check_clock: Callable[[], None]) -> bytes:
        while True:
            try:
                piece = self._socket.recv(PIECE)
            except TimeoutError:
                check_clock()  # not before: a process that has answered is not killed for others' delay
                continue
            if not piece:
                raise EOFError("the search process has ended")
            return piece

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
