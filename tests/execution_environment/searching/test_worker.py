"""What runs in a search process: what it takes, and its own end."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from execution_environment.searching.worker import serve
from tests.execution_environment.searching.conftest import file_of, request
from tests.execution_environment.searching.patterns import SLOW, slow_text

ROOT = Path(__file__).parents[3]
BUSY = """
import os, sys
from execution_environment.searching import worker
worker.MAX_SECONDS = 0
worker.main(int(sys.argv[1]), *os.sched_getaffinity(0))
"""


def test_a_search_worker_that_nobody_can_end_any_more_ends_itself():
    """Its starter was killed while it is at work: it would go on for as long as the pattern takes."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        subprocess.Popen(
            [sys.executable, "-c", BUSY, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=ROOT
        ) as process,
    ):
        descriptor = file_of(slow_text())
        socket.send_fds(ours, [json.dumps(request(SLOW)).encode() + b"\n"], [descriptor])
        os.close(descriptor)
        assert process.wait(timeout=30) == -signal.SIGALRM


def test_what_is_not_text_is_not_searched():
    """Binary, not UTF-8, or longer than may be read: as it has always been."""
    contents = [b"a\0", b"a\xff", b"a" * 11, b"a\r\n"]
    answer = serve(request("a$", max_read=10), [file_of(data) for data in contents])
    assert [item and item["total"] for item in answer["files"]] == [None, None, None, 1]


def test_no_occurrence_is_left_out_in_between_those_shown():
    """What no longer fits ends the showing, also of shorter lines in later files."""
    contents = [b"a\n", b"a" + b"x" * 50 + b"\n", b"a\n"]
    answer = serve(request("a", max_shown=20), [file_of(data) for data in contents])
    assert [len(item["shown"]) for item in answer["files"]] == [1, 0, 0]
    assert [item["total"] for item in answer["files"]] == [1, 1, 1]
