"""The server process: uvicorn with our logging, which tells the application that it must end."""

import asyncio
import gc
import resource
import signal
from collections.abc import Callable
from types import FrameType
from typing import Literal

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from common import logs
from common.settings import ServiceSettings
from common.web.protocols.patience import HeaderTimeoutProtocol

MAX_FRAME = 4 * 1024
"""Bytes of a message that a WebSocket may bring."""
PING = 25.0
"""Seconds between two pings of a WebSocket, and for the answer to one."""
KEEP_ALIVE = 30
"""Seconds an idle connection is kept: longer than any client of ours keeps it (4 s)."""


class Server(uvicorn.Server):
    """Calls `on_exit` as soon as a signal asks for the end.

    uvicorn waits for open responses before the application's own shutdown, and an event stream
    stays open until somebody ends it.
    """

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, then let the application close what would stay open."""
        super().handle_exit(sig, frame)
        self._on_exit()


WebSockets = type[asyncio.Protocol] | Literal["none"]


def configure(
    app: FastAPI | str, settings: ServiceSettings, workers: int = 1, ws: WebSockets = "none"
) -> uvicorn.Config:
    """Return uvicorn's configuration for one of our services; a string names its factory."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HeaderTimeoutProtocol,
        ws=ws,
        ws_max_size=MAX_FRAME,
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        ws_per_message_deflate=False,  # for each client anew, and a buffer for each
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        factory=isinstance(app, str),
        workers=workers,
        timeout_graceful_shutdown=round(settings.shutdown_grace.total_seconds()),
    )


def serve(
    app: FastAPI,
    settings: ServiceSettings,
    on_exit: Callable[[], None] = lambda: None,
    ws: WebSockets = "none",
) -> None:
    """Serve until SIGTERM or SIGINT, then end in order and return."""
    logs.configure(settings.log_format, settings.log_level)
    raise_descriptor_limit()
    server = Server(configure(app, settings, ws=ws), on_exit)
    # What is loaded stays: looking through it for garbage takes the loop's thread 80 ms each time.
    gc.collect()
    gc.freeze()
    # uvicorn raises the signal again when it is done: the end was asked for, so it is no failure
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


def raise_descriptor_limit() -> None:
    """Allow as many open files and connections as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def serve_workers(factory: str, settings: ServiceSettings, workers: int) -> None:
    """Serve with several processes on one port, each with an application of its own.

    `factory` is `module:function` and takes nothing. A process that dies is replaced.
    """
    logs.configure(settings.log_format, settings.log_level)
    raise_descriptor_limit()
    config = configure(factory, settings, workers)
    supervisor = Multiprocess(config, [config.bind_socket()])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(STARTUP_FAILURE)
