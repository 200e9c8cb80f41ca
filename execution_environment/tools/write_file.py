"""write_file: a whole file, created or replaced."""

from hashlib import sha256
from typing import Annotated, Literal

from common.errors import ToolError
from common.tools import touching
from execution_environment.toolkit.content import (
    Encoding,
    Expected,
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

    path: Annotated[str, touching("path")]
    """The file, relative to the workspace."""
    content: str
    """The whole file, from its first to its last line."""
    encoding: Encoding = "utf-8"
    """What `content` is: plain text, or base64 of bytes."""
    mode: Mode = "create"
    """create: a new file only; replace: one that is there; upsert: either."""
    expected_sha256: Expected = None
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
    before = _before(path, arguments.mode, data, workspace)
    require_unchanged(path, before, arguments.expected_sha256)
    workspace.files.put(path, data, before, create_parents=arguments.create_parents)
    return Written(diff=diff_of(path, before, data))


def _before(path: str, mode: Mode, data: bytes, workspace: Workspace) -> Snapshot | None:
    before = workspace.reader.find_file(path)
    if mode == "create" and before is not None:
        raise _exists(path, is_same=before.sha256 == sha256(data).hexdigest())
    if mode == "replace" and before is None:
        raise ToolError("path_not_found", f"'{path}' does not exist", path=path, errno="ENOENT")
    return before


def _exists(path: str, *, is_same: bool) -> ToolError:
    """Say whether there is anything to do at all: models write again what they have written."""
    if is_same:
        detail, hint = f"'{path}' exists already, with this very content", "There is nothing to do."
    else:
        detail, hint = f"'{path}' exists already", "Set mode to 'upsert' to replace it."
    return ToolError("already_exists", detail, hint=hint, path=path)
