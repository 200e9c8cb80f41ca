"""Log lines carry the ids, in both forms, the libraries' lines included."""

import errno
import io
import json
import logging
import sys

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from common import logs


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**config)


def test_json_log_lines_carry_ids_and_exceptions(capsys):
    """An operator follows one request by its id."""
    logs.configure("json", "info")
    with bound_contextvars(request_id="req_1"):
        logs.get_logger("a").info("done", path="x")
        logging.getLogger("library").warning("odd %s", "thing")
        try:
            raise ValueError("boom")
        except ValueError as error:
            logs.get_logger("a").error("failed", exc_info=error)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["request_id"] for line in lines] == ["req_1"] * 3
    assert (lines[0]["event"], lines[0]["path"], lines[1]["event"]) == ("done", "x", "odd thing")
    assert "ValueError: boom" in lines[2]["exception"]


def test_line_that_cannot_be_written_fails_no_call(monkeypatch):
    """A full disk, or a reader that has gone: what has happened has happened."""

    class Full(io.StringIO):
        def write(self, _line):
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(sys, "stderr", Full())
    logs.configure("json", "info")
    logs.get_logger("a").info("done")
    logs.get_logger("a").error("failed", exc_info=ValueError("x"))


def test_console_log_lines_show_no_local_variables(capsys):
    """Locals hold secrets."""
    logs.configure("console", "info")
    secret = "hush" + "-hush"
    try:
        raise ValueError(f"{len(secret)} characters")
    except ValueError as error:
        logs.get_logger("a").error("failed", exc_info=error)
    text = capsys.readouterr().err
    assert "9 characters" in text
    assert "hush-hush" not in text
