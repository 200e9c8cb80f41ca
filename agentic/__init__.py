"""The Python client of agentic-framework, and the `agentic` command."""

from agentic.api.client import AgenticClient
from common.errors import AgenticError, ClientError, SystemFault, ToolError
from common.plans import Message, Plan, PlanStep, Turn, TurnCall, Usage
from common.runs import Budget, Event, PlannerSpec, Run, RunResult, RunUsage, Session, Step

__all__ = [
    "AgenticClient",
    "AgenticError",
    "Budget",
    "ClientError",
    "Event",
    "Message",
    "Plan",
    "PlanStep",
    "PlannerSpec",
    "Run",
    "RunResult",
    "RunUsage",
    "Session",
    "Step",
    "SystemFault",
    "ToolError",
    "Turn",
    "TurnCall",
    "Usage",
]
