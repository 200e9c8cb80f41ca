"""delete_path: a file, a directory, or a link itself."""

import stat
from typing import Annotated

from common.tools import touching
from execution_environment.toolkit.content import Expected, require_unchanged
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace


class DeletePathArguments(Arguments):
    """A directory that is not empty goes with `recursive` only."""

    path: Annotated[str, touching("tree", recursive=False)]
    """What to delete, relative to the workspace; no glob."""
    recursive: bool = False
    """Delete a directory with all that is in it."""
    expected_sha256: Expected = None
    """As read_file gave it: refuse if the file has another by now."""

    @property
    def measures_trees(self) -> bool:
        """A tree that grows between its measuring and its removal would be counted wrongly."""
        return self.recursive


class Deleted(Output):
    """How many files, directories and links went."""

    deleted: int


@tool(effect="destructive")
def delete_path(arguments: DeletePathArguments, workspace: Workspace) -> Deleted:
    """Delete a file, a directory, or a link itself. Use it once for each path."""
    path = arguments.path
    before = None
    if stat.S_ISREG(workspace.reader.entry(path).st_mode):
        before = workspace.reader.snapshot(path, 0)
    require_unchanged(path, before, arguments.expected_sha256)
    deleted = workspace.entries.remove(path, before, recursive=arguments.recursive)
    return Deleted(deleted=deleted)
