"""write_file: a whole file, created or replaced."""

from typing import Literal

from common.errors import ToolError
from execution_environment.toolkit.content import (
    Encoding,
    Sha256,
    decode_content,
    diff_of,
    require_unchanged,
)
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.workspace import Workspace

Mode = Literal["create", "replace", "upsert"]


class WriteFileArguments(Arguments):
    """`create` refuses to replace, `replace` refuses to create, `upsert` does either."""

    path: str
    """The file, relative to the workspace."""
    content: str
    """The whole file, from its first to its last line."""
    encoding: Encoding = "utf-8"
    """What `content` is: plain text, or base64 of bytes."""
    mode: Mode = "create"
    """create: a new file only; replace: one that is there; upsert: either."""
    expected_sha256: Sha256 | None = None
    """As read_file gave it: refuse if the file has another by now."""
    create_parents: bool = True
    """Create missing directories above it."""


class Written(Output):
    """A unified diff of the change; empty when nothing changed."""

    diff: str


@tool(effect="write")
def write_file(arguments: WriteFileArguments, workspace: Workspace) -> Written:
    """Write a whole file. Use it for new files; to change part of one use edit_file."""
    path = arguments.path
    data = decode_content(arguments.content, arguments.encoding)
    before = _before(path, arguments.mode, workspace)
    require_unchanged(path, before, arguments.expected_sha256)
    workspace.files.put(path, data, before, create_parents=arguments.create_parents)
    return Written(diff=diff_of(path, before, data))


def _before(path: str, mode: Mode, workspace: Workspace) -> Snapshot | None:
    before = workspace.reader.find_file(path)
    if mode == "create" and before is not None:
        raise ToolError(
            "already_exists", f"'{path}' exists already; mode 'upsert' replaces it", path=path
        )
    if mode == "replace" and before is None:
        raise ToolError("path_not_found", f"'{path}' does not exist", path=path, errno="ENOENT")
    return before
