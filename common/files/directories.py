"""What is in a directory, page by page, as the orchestrator's file routes tell it."""

from common.models import Items, Lenient, UtcTime


class DirectoryEntry(Lenient):
    """Something in a directory; links and special files are listed, and cannot be used."""

    path: str
    """Relative to the workspace."""
    type: str
    """`file`, `directory`, `symlink`, or another that the execution environment names."""
    size: int
    """In bytes."""
    modified_at: UtcTime


class DirectoryPage(Lenient):
    """Entries ordered by the bytes of their paths; `next_cursor` is null on the last page."""

    entries: Items[DirectoryEntry]
    next_cursor: str | None = None
