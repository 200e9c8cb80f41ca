"""Structured logs: one JSON object a line (or coloured text), with the ids of the request."""

import logging
import sys
from contextlib import suppress
from typing import Any, Literal

import structlog

QUIET = ("httpx", "asyncio")
"""Libraries that log each request or each start: our own lines say it better."""
_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _renderer(form: Literal["json", "console"]) -> list[Any]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # no local variables: they hold secrets
        )
    ]


def configure(form: Literal["json", "console"], level: str) -> None:
    """Send every log line of the process, the libraries' included, to stderr in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder(allow=[])],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderer(form),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for library in QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)
    if form == "json":
        _write_ours(level)
    else:
        _hand_ours_over()


class _Lines(structlog.WriteLogger):
    """Lines on stderr of the logger of a name."""

    def __init__(self, name: str) -> None:
        super().__init__(sys.stderr)
        self.name = name

    def msg(self, message: str) -> None:
        """Write a line. One that cannot be written is lost, as those of `logging` are: no call fails of it."""
        with suppress(OSError, ValueError):  # a full disk, a reader that has gone, a closed file
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _write_ours(level: str) -> None:
    """Write our own lines at once: by way of `logging` each costs a request three times as much."""
    structlog.configure(
        processors=[*_SHARED, *_renderer("json")],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _hand_ours_over() -> None:
    """Have our own lines among the records of `logging`, where other handlers find them."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> Any:
    """Return a logger that takes its facts as keywords."""
    return structlog.get_logger(name)
