"""The Python client of agentic-framework, and the `agentic` command."""

from agentic.client import AgenticClient
from common.errors import AgenticError, ClientError, SystemFault, ToolError
from common.plans import Plan, PlanStep
from common.runs import Budget, Event, Run, RunResult, Session, Step

__all__ = [
    "AgenticClient",
    "AgenticError",
    "Budget",
    "ClientError",
    "Event",
    "Plan",
    "PlanStep",
    "Run",
    "RunResult",
    "Session",
    "Step",
    "SystemFault",
    "ToolError",
]
