"""The steps of a run as tool calls, each with all that it was given and all that came of it."""

import asyncio
from collections.abc import Mapping, Sequence

from ag_ui.core import (
    BaseEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from pydantic import JsonValue

from common.runs import Event
from orchestrator.agui.records import Records
from orchestrator.store.encoding.telling import to_json


class Calls:
    """Tells the calls that are made: each begins once, a step that was never sent included."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._begun: set[str] = set()

    async def started(self, event: Event) -> Sequence[BaseEvent]:
        """Tell a call with its arguments, unless it was told before."""
        step_id, data = str(event.step_id), event.data
        if step_id in self._begun:
            return []
        self._begun.add(step_id)
        arguments: Mapping[str, JsonValue] | None = data["arguments"]
        if arguments is None:  # too long for an event
            arguments = (await self._records.step(data["n"])).arguments
        return [
            ToolCallStartEvent(tool_call_id=step_id, tool_call_name=data["tool"]),
            ToolCallArgsEvent(tool_call_id=step_id, delta=to_json(arguments)),
            ToolCallEndEvent(tool_call_id=step_id),
        ]

    async def ended(self, event: Event) -> Sequence[BaseEvent]:
        """Tell what came of a call: its output and receipts, or the problem."""
        step_id, step = str(event.step_id), event.data
        result = {name: step[name] for name in ("status", "receipts", "error")}
        result["output"] = (await self._records.step(step["n"])).output
        content = await asyncio.to_thread(to_json, result)  # it may be megabytes
        return [
            *await self.started(event),
            ToolCallResultEvent(
                message_id=f"{step_id}:result",
                tool_call_id=step_id,
                content=content,
                role="tool",
            ),
        ]
