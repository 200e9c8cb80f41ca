"""move_path: a file or a directory, to another place in the workspace."""

from typing import Annotated

from common.tools import touching
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace


class MovePathArguments(Arguments):
    """With `overwrite` a file replaces a file; directories are never replaced."""

    source: Annotated[str, touching("tree")]
    """The file or directory to move, relative to the workspace."""
    destination: Annotated[str, touching("tree")]
    """The new path itself, not the directory to put it in."""
    overwrite: bool = False
    """Replace a file that is there; never a directory."""


class PathMoved(Output):
    """Paths that were left out: a move takes everything along, so there are none."""

    skipped: list[str]


@tool(effect="destructive")
def move_path(arguments: MovePathArguments, workspace: Workspace) -> PathMoved:
    """Move or rename a file or directory. Use it alone: nothing is to be copied or deleted."""
    workspace.entries.move(arguments.source, arguments.destination, overwrite=arguments.overwrite)
    return PathMoved(skipped=[])
