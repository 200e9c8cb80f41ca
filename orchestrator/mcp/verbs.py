"""The orchestrator's own verbs as tools, at `POST /mcp`: for those who drive agents from an agent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)
from pydantic import ValidationError

from common.errors import ToolError, fields_of, told_of_fields
from common.models import Strict
from common.tools import did_you_mean
from orchestrator.mcp.callers import Caller, Context, caller_of, key_of
from orchestrator.mcp.faults import told_as_result
from orchestrator.mcp.results import told
from orchestrator.mcp.runs import (
    Approve,
    Runs,
    RunStatusOf,
    RunTold,
    SendMessage,
    StartRun,
    WhichRun,
)
from orchestrator.mcp.tools import hints, require_no_cursor
from orchestrator.planners.llm.schema import for_model

Done = Callable[[Runs, Caller, Context, Any, str | None], Awaitable[RunTold]]


@dataclass(frozen=True)
class Verb:
    """A tool that is about runs."""

    description: str
    asked: type[Strict]
    do: Done
    is_read: bool = False
    is_destructive: bool = False

    def tool(self, name: str) -> Tool:
        """Return it as it is listed."""
        return Tool(
            name=name,
            description=self.description,
            input_schema=for_model(self.asked.model_json_schema()),
            output_schema=RunTold.model_json_schema(mode="serialization"),
            annotations=hints(self.is_read, is_destructive=self.is_destructive),
        )


_VERBS: Mapping[str, Verb] = {
    "start_run": Verb(
        "Start a run in a workspace of yours: a goal in words, or a plan of tool calls. With 'wait' the"
        " answer comes when it has ended or waits for a person.",
        StartRun,
        lambda runs, caller, context, asked, key: runs.start(caller, context, asked, key),
        is_destructive=True,
    ),
    "run_status": Verb(
        "Look at a run: what it has done, what it waits for, what came of it. With 'wait' the answer"
        " comes when it has ended or waits for a person.",
        RunStatusOf,
        lambda runs, caller, context, asked, _key: runs.status(caller, context, asked),
        is_read=True,
    ),
    "cancel_run": Verb(
        "Ask a run to end before its next step. One that has ended stays as it is.",
        WhichRun,
        lambda runs, caller, _context, asked, _key: runs.cancel(caller, asked),
        is_destructive=True,
    ),
    "approve": Verb(
        "Approve or reject the calls that a run waits with; 'run_status' shows them, with what each"
        " would do and the plan_revision that the answer is about.",
        Approve,
        lambda runs, caller, _context, asked, _key: runs.approve(caller, asked),
        is_destructive=True,
    ),
    "send_message": Verb(
        "Answer the question of a run that is awaiting_input, or tell a running one what to mind.",
        SendMessage,
        lambda runs, caller, _context, asked, key: runs.send(caller, asked, key),
    ),
}


class Verbs:
    """Serves the verbs."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def list_tools(
        self, _context: Context, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """List every verb on one page."""
        require_no_cursor(params)
        return ListToolsResult(tools=[verb.tool(name) for name, verb in _VERBS.items()])

    async def call_tool(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Do what is asked for; whatever keeps it from being done is told as the tool's error."""

        async def called() -> CallToolResult:
            verb = _verb(params.name)
            asked = await asyncio.to_thread(_checked, verb, params.name, params.arguments or {})
            key = key_of(context.meta)
            run = await verb.do(self._runs, caller_of(context), context, asked, key)
            return told(run.model_dump(mode="json"))

        return await told_as_result(context, called)


def _verb(name: str) -> Verb:
    if name in _VERBS:
        return _VERBS[name]
    hint = did_you_mean(name, _VERBS) or f"There are {', '.join(_VERBS)}."
    raise ToolError("tool_not_found", "There is no such tool", hint=hint)


def _checked(verb: Verb, name: str, arguments: Mapping[str, Any]) -> Strict:
    try:
        return verb.asked.model_validate(arguments)
    except ValidationError as error:
        fields = fields_of(error)
    detail = told_of_fields(fields, "the arguments")
    raise ToolError("invalid_arguments", detail, tool=name, fields=fields)
