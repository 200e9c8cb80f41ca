"""move_path: a file or a directory, to another place in the workspace."""

from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace


class MovePathArguments(Arguments):
    """With `overwrite` a file replaces a file; directories are never replaced."""

    source: str
    destination: str
    overwrite: bool = False


class PathMoved(Output):
    """Paths that were left out: a move takes everything along, so there are none."""

    skipped: list[str]


@tool(effect="destructive")
def move_path(arguments: MovePathArguments, workspace: Workspace) -> PathMoved:
    """Move or rename a file or a directory, with the directories that lead to its new place."""
    workspace.entries.move(arguments.source, arguments.destination, overwrite=arguments.overwrite)
    return PathMoved(skipped=[])
