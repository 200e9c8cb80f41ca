"""A client whose orchestrator is a script."""

import contextlib
import signal
import threading
from pathlib import Path

import pytest

from agentic import AgenticClient
from common.runs import RunResult
from tests.agentic.fake_orchestrator import Orchestrator
from tests.agentic.fakes import a_run

FAKE = Path(__file__).with_name("fake_service.py")


@pytest.fixture
async def connect():
    """Make clients over a transport; all are closed afterwards."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(transport, **more):
            client = AgenticClient("http://127.0.0.1:8000", transport=transport, **more)
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture
def hangup():
    """Have SIGHUP end processes, also where the tests themselves are run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Put fakes where `python -m NAME` finds them first: in the working directory."""
    monkeypatch.chdir(tmp_path)

    def behave(**behaviours):
        for name in ("execution_environment", "orchestrator"):
            told = behaviours.get(name, "good")
            script = f"import runpy, sys; sys.argv = ['', {name!r}, {told!r}]\n"
            (tmp_path / f"{name}.py").write_text(f"{script}runpy.run_path({str(FAKE)!r})\n")
        return tmp_path

    return behave


@pytest.fixture
def serve():
    """Start orchestrators; all are stopped afterwards."""
    servers = []

    def start(run=None, **more):
        server = Orchestrator(run or a_run(result=RunResult(answer="Done.", changes=[])), **more)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()
