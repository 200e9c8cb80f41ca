"""copy_path: a file or a whole directory."""

from typing import Annotated

from common.tools import touching
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace


class CopyPathArguments(Arguments):
    """With `overwrite` a file replaces a file; directories are never replaced."""

    source: Annotated[str, touching("tree")]
    """The file or directory to copy, relative to the workspace."""
    destination: Annotated[str, touching("tree")]
    """The new path itself, not the directory to put it in."""
    overwrite: bool = False
    """Replace a file that is there; never a directory."""


class PathCopied(Output):
    """Links, FIFOs, sockets and devices, which were left out."""

    skipped: list[str]


@tool(effect="write")
def copy_path(arguments: CopyPathArguments, workspace: Workspace) -> PathCopied:
    """Copy a file, or a directory with all that is in it; Use it to have both; to rename use move_path."""
    skipped = workspace.entries.copy(
        arguments.source, arguments.destination, overwrite=arguments.overwrite
    )
    return PathCopied(skipped=skipped)
