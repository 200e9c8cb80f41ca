"""The process that searches: it is handed open files and a pattern, and has nothing else.

It imports little, so that a new one is soon there. One request is one line of JSON with the files'
descriptors beside it; so is one answer, without descriptors.
"""

import functools
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypedDict

import re2

from common.files.globs import InvalidPattern, compile_pattern
from execution_environment.searching import matching
from execution_environment.searching.matching import Occurrences

MAX_FILES = 64
"""Descriptors that go with one request: the kernel takes 253."""
MAX_SECONDS = 10
"""For one request, whatever the deadline: no process is one user's for an hour."""
PIECE = 64 * 1024
NICENESS = 10
"""Who reads or writes goes before who searches."""


class Request(TypedDict):
    """What to look for, and how much of it is returned."""

    pattern: str
    literal: bool
    ignore_case: bool
    context: int
    limit: int
    """Occurrences that are returned; all are counted."""
    max_shown: int
    """Characters of text that are returned."""
    max_read: int
    """The longest file that is searched, in bytes."""


class Answer(TypedDict):
    """What was found in each file, None where it was not searched, or why the pattern is no good."""

    files: list[Occurrences | None]
    invalid: str | None


def less(request: Request, found: Occurrences) -> Request:
    """Return what is left to be returned; what did not fit was the end: there must be no gaps."""
    is_all = found["total"] == len(found["shown"])
    limit = request["limit"] - len(found["shown"]) if is_all else 0
    room = request["max_shown"] - sum(map(matching.size, found["shown"]))
    return {**request, "limit": limit, "max_shown": room}


def main(descriptor: int, *cpus: int) -> None:
    """Answer what comes through a socket, until it is closed at the other end; use any of the CPUs."""
    with suppress(OSError):  # they are none of its own any more
        os.sched_setaffinity(0, cpus)
    os.nice(NICENESS)
    with socket.socket(fileno=descriptor) as connection:
        while (asked := receive(connection)) is not None:
            request, files = asked
            # where the other end was killed, nobody is left to end this
            signal.alarm(MAX_SECONDS + 1)
            answer = serve(request, files)
            signal.alarm(0)
            connection.sendall(json.dumps(answer).encode() + b"\n")


def receive(connection: socket.socket) -> tuple[Request, list[int]] | None:
    """Return the next request with its files, or None when there will be none."""
    line, files = bytearray(), list[int]()
    while not line.endswith(b"\n"):
        piece, more, _, _ = socket.recv_fds(connection, PIECE, MAX_FILES)
        if not piece:
            return None
        line += piece
        files += more
    return json.loads(line), files


def serve(request: Request, files: list[int]) -> Answer:
    """Search the files, and close them."""
    try:
        pattern = compiled(
            request["pattern"], literal=request["literal"], ignore_case=request["ignore_case"]
        )
        return Answer(files=list(_searched(files, pattern, request)), invalid=None)
    except InvalidPattern as error:
        return Answer(files=[], invalid=str(error))
    finally:
        for file in files:
            os.close(file)


@functools.lru_cache(maxsize=1)
def compiled(pattern: str, *, literal: bool, ignore_case: bool) -> Any:
    """Return a pattern that finds its occurrences within lines; raise InvalidPattern."""
    source = re2.escape(pattern) if literal else pattern
    compile_pattern(source)  # alone, so that the error shows it as it was given
    return compile_pattern(f"(?m:{source})", ignore_case=ignore_case, by_line=True)


def _text_of(file: int, most: int) -> bytes | None:
    """Return a file's text, or None for one that is binary or has grown too large."""
    size = os.fstat(file).st_size
    data = os.pread(file, min(size, most) + 1, 0)
    if len(data) != size:  # it has grown meanwhile, or comes in parts
        while piece := os.pread(file, most + 1 - len(data), len(data)):
            data += piece
    return None if len(data) > most else matching.text_of(data)


def _searched(files: list[int], pattern: Any, request: Request) -> Iterator[Occurrences | None]:
    for file in files:
        data = _text_of(file, request["max_read"])
        if data is None:
            yield None
            continue
        limit, room = request["limit"], request["max_shown"]
        found = matching.search(data, pattern, request["context"], limit, room)
        yield found
        request = less(request, found)
