"""A sandbox with its outside, and an executor over it."""

import gc
import hashlib
import os
import sqlite3
import stat
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from common.context import ExecutionContext, RequestSource
from common.errors import AgenticError
from common.ids import new_id
from common.tools import ToolCall
from execution_environment.app import build
from execution_environment.bootstrap import Assembly
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import CallLimits, QuotaMeter, Usage
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.searching.searchers import Searchers
from execution_environment.settings import Settings
from execution_environment.threads import ThreadPool
from execution_environment.transactions.settlement import SettleRequest
from execution_environment.workspace.workspace import Workspace, open_workspace

CANARY = os.urandom(16).hex()
MIB = 1024 * 1024


@pytest.fixture
def data_dir(tmp_path):
    """The service's data directory, with canaries beside and above every workspace."""
    root = tmp_path / "data" / "workspaces"
    (root / "local" / "demo").mkdir(parents=True)
    (root / "local" / "demo2").mkdir()
    (tmp_path / "outside").mkdir()
    for place in (tmp_path / "outside", root / "local" / "demo2", root / "local", root, tmp_path):
        (place / "canary.txt").write_text(CANARY)
    return tmp_path / "data"


@pytest.fixture
def demo(data_dir):
    """The workspace `local/demo` as the disk has it."""
    return data_dir / "workspaces" / "local" / "demo"


@pytest.fixture
def outside(tmp_path):
    """A directory that no call may reach."""
    return tmp_path / "outside"


def digest_outside(tmp_path: Path, demo: Path) -> str:
    """Hash everything about every file that lies outside the workspace."""
    lines = []
    for directory, names, file_names in os.walk(tmp_path):
        inside = [d for d in names if Path(directory, d) in (demo, tmp_path / "data" / "state")]
        for name in inside:
            names.remove(name)
        for name in sorted([*names, *file_names]):
            path = Path(directory, name)
            status = path.lstat()
            facts = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            lines.append(f"{path} {facts} {hashlib.sha256(content).hexdigest()}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@pytest.fixture
def sandbox(data_dir):
    """A sandbox over the data directory; what it staged is gone at the end."""
    sandbox = Sandbox(data_dir)
    yield sandbox
    sandbox.close()
    assert staged_in(data_dir) == []


@pytest.fixture
def workspace(sandbox):
    """One call's view of `local/demo`."""
    with closing(Searchers()) as searchers:
        yield workspace_over(sandbox, searchers)


def workspace_over(sandbox, searchers=None) -> Workspace:
    """Return one call's view of `local/demo`; without searchers it does not search."""
    limits, meter = call_limits(), QuotaMeter()
    base = (b"local", b"demo")
    return open_workspace(base, sandbox.renamer, searchers, limits, meter, dry_run=False)


def call_limits(**changed) -> CallLimits:
    """Bounds that do not get in the way."""
    given = {"max_read": MIB, "max_write": MIB, "deadline": time.monotonic() + 60}
    return CallLimits(**given | changed)


@pytest.fixture
def assemble(data_dir):
    """Put the service's parts together as the app does, with something else where it is given."""

    def make(**changed):
        allowed = ServiceLimits(MIB, MIB, Usage(100 * MIB, 10_000))
        given = {"allowed": allowed, "threads": ThreadPool(8, 64), "result_ttl": timedelta(days=1)}
        return Assembly(data_dir, **{**given, **changed})

    return make


@pytest.fixture
async def parts(assemble, data_dir):
    """The service's parts; what they staged is gone at the end."""
    parts = assemble()
    yield parts
    await parts.close()
    assert staged_in(data_dir) == []


@pytest.fixture
async def client(tmp_path):
    """A client of the service; its start and end are the lifespan's."""
    app = build(Settings(data_dir=tmp_path / "data", service_token="secret", max_body=1000))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://x", headers={"Authorization": "Bearer secret"}
        ) as http,
    ):
        yield http


def staged_in(data_dir: Path) -> list[str]:
    """Return what lies in staging."""
    return [
        name
        for _, directories, files in os.walk(data_dir / "state" / "staging")
        for name in (*directories, *files)
    ]


@pytest.fixture
def executor(parts):
    """An executor as the app builds it."""
    return parts.executor


def tool_call(tool, _context=None, _dry_run=False, _id=None, _fence=1, **arguments) -> ToolCall:
    """Return a call; keywords are the tool's arguments."""
    context = {
        "request_id": "req_test",
        "user_id": "local",
        "request_source": RequestSource(kind="internal"),
        "allowed_paths_root": "local/demo",
        "timeout": 30,
        **(_context or {}),
    }
    return ToolCall(
        id=_id or new_id("call"),
        fence=_fence,
        tool=tool,
        arguments=arguments,
        context=ExecutionContext(**context),
        dry_run=_dry_run,
    )


def asked(call_id, session_id=None, fence=0) -> SettleRequest:
    """Ask for a call to be settled; on behalf of a session's owner where one is named."""
    context = tool_call("t", {"session_id": session_id}).context if session_id else None
    return SettleRequest(call_id, fence, "req_test", context)


@pytest.fixture
def call(executor):
    """Run a tool by name; an id of its own unless `_id` is given."""

    async def run(tool, _context=None, **more):
        return await executor.run(tool_call(tool, _context, **more))

    return run


@pytest.fixture
def open_descriptors():
    """Count this process's open descriptors.

    But for the cache of hashes: it is opened once a file that is hashed is two seconds old. What earlier
    tests have left to be collected is closed before.
    """
    gc.collect()
    return lambda: len([link for link in map(_link_of, os.listdir("/proc/self/fd")) if link])


def _link_of(descriptor):
    try:
        link = os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:  # the one of the listing itself
        return None
    return None if "hashes.db" in link else link


async def refusal(pending) -> AgenticError:
    """Return the error that a call ends with."""
    with pytest.raises(AgenticError) as caught:
        await pending
    return caught.value


async def pieces(*data):
    """Yield the pieces of an upload."""
    for piece in data:
        yield piece


def sha(data: bytes) -> str:
    """Return a hash as receipts have it."""
    return hashlib.sha256(data).hexdigest()


def usage_of(data_dir: Path, workspace: str = "local/demo") -> tuple[int, int]:
    """Return what the ledger counts for a workspace: bytes and entries."""
    with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger:
        size, entries = ledger.execute(
            "SELECT size, entries FROM usage WHERE workspace = ?", (workspace,)
        ).fetchone()
    return int(size), int(entries)


def taken_up(data_dir: Path, workspace: str = "local/demo") -> tuple[int, int]:
    """Return what a workspace takes up on the disk: bytes and entries."""
    found = [path.lstat() for path in (data_dir / "workspaces" / workspace).rglob("*")]
    return sum(item.st_size for item in found if stat.S_ISREG(item.st_mode)), len(found)
