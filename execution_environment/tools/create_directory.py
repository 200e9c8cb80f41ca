"""create_directory: a directory, and those that lead to it."""

import stat
from typing import Annotated

from common.errors import ToolError
from common.tools import touching
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace


class CreateDirectoryArguments(Arguments):
    """With `exist_ok` a directory that is there already is no error."""

    path: Annotated[str, touching("path")]
    """The directory, relative to the workspace."""
    exist_ok: bool = True
    """No error if it is there already."""


class Created(Output):
    """Nothing beside the receipt."""


@tool(effect="write")
def create_directory(arguments: CreateDirectoryArguments, workspace: Workspace) -> Created:
    """Create a directory, with all missing ones above it.

    Use it for empty directories: what writes a file makes its directories by itself.
    """
    path = arguments.path
    status = workspace.reader.find(path)
    if status is None:
        workspace.files.put_directory(path)
    elif not stat.S_ISDIR(status.st_mode):
        raise ToolError(
            "not_a_directory", f"'{path}' exists and is not a directory", path=path, errno="EEXIST"
        )
    elif not arguments.exist_ok:
        raise ToolError("already_exists", f"'{path}' exists already", path=path, errno="EEXIST")
    return Created()
