"""Workspaces as things of their own: how large they are, and who works on them."""

from common.ids import Name, SessionId
from common.models import Items, Lenient, UtcTime


class WorkspaceUsage(Lenient):
    """A workspace as the execution environment knows it; `size` in bytes."""

    name: Name
    size: int
    entries: int
    """Files and directories."""
    changed_at: UtcTime
    """When something in it was last made, replaced or removed."""
    generation: str
    """Which making of it this is: one that was deleted and made again has another."""


class Workspace(WorkspaceUsage):
    """A workspace with the sessions that name it."""

    sessions: Items[SessionId]
