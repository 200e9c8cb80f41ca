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
    content: str
    encoding: Encoding = "utf-8"
    mode: Mode = "create"
    expected_sha256: Sha256 | None = None
    create_parents: bool = True


class Written(Output):
    """A unified diff of the change; empty when nothing changed."""

    diff: str


@tool(effect="write")
def write_file(arguments: WriteFileArguments, workspace: Workspace) -> Written:
    """Create or replace a file as a whole, with the directories that lead to it."""
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
