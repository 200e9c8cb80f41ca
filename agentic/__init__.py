"""The Python client of agentic-framework, and the `agentic` command.

Its names are imported when they are first used: the command hears Ctrl-C before that takes its time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentic.api.client import AgenticClient
    from common.approvals.reviews import (
        EditedCall,
        PlannedCall,
        PlanReplace,
        Preview,
        PreviewedPlan,
        Remember,
        TurnPlan,
    )
    from common.approvals.rules import Rule, Rules
    from common.errors import AgenticError, ClientError, SystemFault, ToolError
    from common.plans import Message, Plan, PlanStep, Turn, TurnCall, Usage
    from common.runs import (
        Budget,
        Event,
        PlannerSpec,
        Run,
        RunResult,
        RunUsage,
        Step,
    )
    from common.sessions import Session

__all__ = [
    "AgenticClient",
    "AgenticError",
    "Budget",
    "ClientError",
    "EditedCall",
    "Event",
    "Message",
    "Plan",
    "PlanReplace",
    "PlanStep",
    "PlannedCall",
    "PlannerSpec",
    "Preview",
    "PreviewedPlan",
    "Remember",
    "Rule",
    "Rules",
    "Run",
    "RunResult",
    "RunUsage",
    "Session",
    "Step",
    "SystemFault",
    "ToolError",
    "Turn",
    "TurnCall",
    "TurnPlan",
    "Usage",
]

_HOMES = {
    "agentic.api.client": ("AgenticClient",),
    "common.approvals.reviews": (
        "EditedCall",
        "PlanReplace",
        "PlannedCall",
        "Preview",
        "PreviewedPlan",
        "Remember",
        "TurnPlan",
    ),
    "common.approvals.rules": ("Rule", "Rules"),
    "common.errors": ("AgenticError", "ClientError", "SystemFault", "ToolError"),
    "common.plans": ("Message", "Plan", "PlanStep", "Turn", "TurnCall", "Usage"),
    "common.runs": (
        "Budget",
        "Event",
        "PlannerSpec",
        "Run",
        "RunResult",
        "RunUsage",
        "Step",
    ),
    "common.sessions": ("Session",),
}


def __getattr__(name: str) -> Any:
    """Import a name from where it lives."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'agentic' has no attribute {name!r}")
