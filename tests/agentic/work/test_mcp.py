"""`agentic mcp`: which orchestrator it serves, and what it says where it cannot."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentic.commands.app import app
from agentic.local.ownership import noted_url
from agentic.work import mcp
from agentic.work.mcp import Source
from agentic.work.target import Target
from tests.agentic.test_client_alone import COMMAND, run_without

READY = {"status": "ok", "facts": {"store": "embedded"}}
PROBLEM = {
    "type": "urn:agentic:error:unavailable",
    "title": "Unavailable",
    "status": 503,
    "detail": "The execution environment is away",
    "code": "unavailable",
    "hint": "Try again.",
    "retryable": True,
    "outcome": "not_executed",
    "source": "orchestrator",
    "request_id": None,
    "context": {},
}


@contextmanager
def listening(status, body):
    """Have something answer everything so; yield where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


async def found(source):
    """Return where an orchestrator is found, and whether it is the stack of the directory."""
    async with source.located() as locate:
        url = await locate(False)
        return url, Path("data").exists() and noted_url(Path("data")) == url


async def test_server_that_was_named_is_used_whether_it_is_there_or_not(place):
    """It may be started later; another one would have other files."""
    place()
    url = "http://127.0.0.1:9"
    assert await found(Source("demo", Target(url, None), is_named=True, data_dir=Path("data"))) == (
        url,
        False,
    )


@pytest.mark.parametrize(
    ("status", "body"), [(200, READY), (503, PROBLEM)], ids=["ready", "not yet"]
)
async def test_orchestrator_that_is_there_is_used_where_none_was_named(place, status, body):
    """As the other commands do; one that is not ready yet is one as well."""
    place()
    with listening(status, json.dumps(body).encode()) as url:
        assert await found(Source("demo", Target(url, None), is_named=False, data_dir=None)) == (
            url,
            False,
        )


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b'{"status": "ok"}'), (404, b"no")]
)
async def test_stranger_on_its_port_is_no_orchestrator(place, monkeypatch, status, body):
    """Many programs listen there: then the stack is our own, in the usual directory."""
    place()
    monkeypatch.setattr(mcp.inputs, "default_data_dir", lambda: Path("data"))
    with listening(status, body) as url:
        there, is_own = await found(
            Source("demo", Target(url, None), is_named=False, data_dir=None)
        )
    assert (there != url, is_own) == (True, True)


async def test_directory_that_is_named_has_its_own_stack_whoever_else_is_there(place):
    """Its files are wanted, and not those of another."""
    place()
    with listening(200, json.dumps(READY).encode()) as url:
        source = Source("demo", Target(url, None), is_named=False, data_dir=Path("data"))
        assert (await found(source))[1]


@pytest.mark.parametrize("words", [[], ["--workspace", "demo", "--runs"]])
def test_either_a_workspace_or_the_runs_are_served(words):
    """Nobody guesses which files a model may change."""
    ended = CliRunner().invoke(app, ["mcp", *words])
    assert ended.exit_code == 2
    assert "--workspace NAME or --runs" in ended.stderr


def test_what_no_workspace_is_called_is_refused_before_anything_is_started():
    """A variable of a script's that is not set, say."""
    ended = CliRunner().invoke(app, ["mcp", "--workspace", ""])
    assert ended.exit_code == 2
    assert "is no workspace's name" in ended.stderr


def test_extra_is_named_where_the_library_is_missing():
    """Whoever has installed the client alone."""
    words = "'mcp', '--workspace', 'demo', '--url', 'http://127.0.0.1:9'"
    ended = run_without({"mcp", "mcp_types"}, COMMAND.format(words))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'agentic-framework[mcp]'" in ended.stderr


def test_library_is_loaded_by_nothing_but_its_command():
    """It takes a second."""
    program = "import sys\nfrom agentic.commands import app\nfrom agentic.work import mcp\n"
    told = "print(sorted({'mcp', 'mcp_types'} & set(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", program + told], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
