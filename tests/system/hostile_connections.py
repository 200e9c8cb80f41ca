"""What connections do to a service that has to bear it: without a token, until they are told to stop.

Each attack takes a host, a port and an event that ends it, and does not mind being dropped.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from itertools import repeat

Attack = Callable[[str, int, threading.Event], None]
TIMEOUT = 0.2
"""Seconds after which an attack looks whether it is to stop."""
IDLERS = 50
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
ENDLESS = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Endless: "
REFUSED = (
    b"POST /v1/tool-calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000000000\r\n\r\n"
)


def pipelining(host: str, port: int, stop: threading.Event) -> None:
    """Ask without end and read no answer."""
    _pour(host, port, stop, lambda: repeat(LIVE * 1000))


def endless_header(host: str, port: int, stop: threading.Event) -> None:
    """Send one header that has no end."""

    def pieces() -> Iterator[bytes]:
        yield ENDLESS
        yield from repeat(b"x" * 65536)

    _pour(host, port, stop, pieces)


def refused_body(host: str, port: int, stop: threading.Event) -> None:
    """Go on with a body that was refused before it began."""

    def pieces() -> Iterator[bytes]:
        yield REFUSED
        yield from repeat(b"x" * 65536)

    _pour(host, port, stop, pieces)


def idle_connections(host: str, port: int, stop: threading.Event) -> None:
    """Hold connections that say nothing, or nothing more after one answer."""
    held = [_connect(host, port) for _ in range(IDLERS)]
    try:
        for number, connection in enumerate(held):
            _send(connection, LIVE if number % 2 else b"", stop)
        while not stop.wait(TIMEOUT):
            for connection in held:
                _send(connection, b"\r\n", stop)
    finally:
        for connection in held:
            connection.close()


ATTACKS: tuple[Attack, ...] = (pipelining, endless_header, refused_body, idle_connections)


def _pour(
    host: str, port: int, stop: threading.Event, pieces: Callable[[], Iterator[bytes]]
) -> None:
    while not stop.is_set():
        with _connect(host, port) as connection:
            all(_send(connection, piece, stop) for piece in pieces())


def _connect(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=30)
    connection.settimeout(TIMEOUT)
    return connection


def _send(connection: socket.socket, data: bytes, stop: threading.Event) -> bool:
    """Send all of it; return False when the connection was dropped, or the attack is to stop."""
    rest = memoryview(data)
    while not stop.is_set():
        try:
            rest = rest[connection.send(rest) :]
        except TimeoutError:
            continue
        except OSError:
            return False
        if not rest:
            return True
    return False
