"""What the commands do. Each module is imported when it is first used: it takes the client along.

So `agentic --help` and the completion of a line answer at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentic.work import (
        approvals,
        directories,
        ending,
        files,
        here,
        inputs,
        listing,
        mcp,
        runs,
        stacks,
        target,
        watching,
    )

__all__ = [
    "approvals", "directories", "ending", "files", "here", "inputs", "listing", "mcp", "runs",
    "stacks", "target", "watching",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a module of the package."""
    if name not in __all__:
        raise AttributeError(f"module 'agentic.work' has no attribute {name!r}")
    return import_module(f"agentic.work.{name}")
