"""append_file: more at the end of a file."""

from typing import Annotated

from common.errors import ToolError
from common.tools import touching
from execution_environment.toolkit.content import (
    Encoding,
    Expected,
    decode_content,
    diff_of_append,
    require_unchanged,
)
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace


class AppendFileArguments(Arguments):
    """Without `create` the file must be there."""

    path: Annotated[str, touching("path")]
    """The file, relative to the workspace."""
    content: str
    """What to add; begin or end it with a newline where one is needed."""
    encoding: Encoding = "utf-8"
    """What `content` is: plain text, or base64 of bytes."""
    create: bool = True
    """Create the file if it is missing."""
    expected_sha256: Expected = None
    """As read_file gave it: refuse if the file has another by now."""


class Appended(Output):
    """A unified diff of the change; empty when nothing changed."""

    diff: str


@tool(effect="write")
def append_file(arguments: AppendFileArguments, workspace: Workspace) -> Appended:
    """Add text at the end of a file of any size. Use it to extend a file without reading it."""
    path = arguments.path
    data = decode_content(arguments.content, arguments.encoding)
    before = workspace.reader.find_file(path)
    require_unchanged(path, before, arguments.expected_sha256)
    if before is None and not arguments.create:
        raise ToolError("path_not_found", f"'{path}' does not exist", path=path, errno="ENOENT")
    if before is None:
        workspace.files.put(path, data, None)
    elif data:
        workspace.files.append(path, data, before)
    return Appended(diff=diff_of_append(path, before, data))
