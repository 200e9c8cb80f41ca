"""A change of many files: what it makes of a workspace, and how it is made."""

import stat
import time
from typing import Any

from common.files.paths import parse
from common.tools import ToolCall, ToolResult
from execution_environment.bootstrap import Assembly
from execution_environment.sandbox.descriptors import identity
from execution_environment.transactions.transaction import Operation, Transaction
from execution_environment.workspace.receipts import receipt_of_file, receipt_of_removal
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.streams import IncomingFile
from execution_environment.workspace.workspace import Workspace

BULK = "put_archive"
"""What stands for a tool."""


async def make(parts: Assembly, call: ToolCall) -> ToolResult:
    """Make a change whose arguments are the paths that go, and the contents that come, in order."""
    arguments: dict[str, Any] = call.arguments
    gone, contents = arguments["gone"], arguments["contents"]
    workspace = parts.uploads._workspaces.open(call.context, time.monotonic(), is_bulk=True)
    received = {path: _received(workspace, text.encode()) for path, text in contents.items()}
    placing = _placing(gone, received)
    transaction = Transaction(call, workspace, placing, needs_lock=True)
    return await parts.uploads._coordinator.perform_upload(transaction)


def _received(workspace: Workspace, content: bytes) -> IncomingFile:
    incoming = workspace.change.receive()
    incoming.write(content)
    incoming.finish()
    return incoming


def _placing(gone: list[str], received: dict[str, IncomingFile]) -> Operation:
    def place(workspace: Workspace) -> dict[str, Any]:
        workspace.change.meter.reset()
        for path in gone:
            _take(workspace, path)
        for path, incoming in received.items():
            has_room = any(f"{path}/".startswith(f"{place}/") for place in gone)
            _put(workspace, path, incoming, None if has_room else workspace.reader.find_file(path))
        return {"created": len(received), "deleted": len(gone)}

    return place


def _take(workspace: Workspace, path: str) -> None:
    status = workspace.reader.entry(path)
    workspace.change.take(parse(path), identity(status), None, None)
    workspace.change.meter.add(-status.st_size if stat.S_ISREG(status.st_mode) else 0, -1)
    workspace.change.add_receipts(receipt_of_removal(path, None))


def _put(workspace: Workspace, path: str, incoming: IncomingFile, before: Snapshot | None) -> None:
    workspace.change.meter.add(incoming.size - (0 if before is None else before.size))
    replaced = None if before is None else before.identity
    workspace.change.put_received(parse(path), incoming, 0o644, replaced)
    receipt = receipt_of_file(path, incoming.sha256, incoming.size, 0o644, before)
    workspace.change.add_receipts(receipt)
