"""The model of the bench: it asks for one file, and says that it has read it."""

import json
from collections.abc import AsyncIterator

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls

from tests.system.models.answers import Answer, Conversation, calls

PATH = "file.txt"
GOAL = f"Read {PATH}."
SAID = "I have read the file: it holds a hundred lines."
Said = str | DeltaToolCalls


def over_http(conversation: Conversation) -> Answer:
    """Answer as the fake provider's program."""
    if conversation.results:
        return Answer(text=SAID)
    return calls(("read_file", {"path": PATH}))


async def in_process(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Said]:
    """Answer as a function of the process."""
    last = messages[-1]
    if isinstance(last, ModelRequest) and isinstance(last.parts[0], ToolReturnPart):
        yield SAID
    else:
        arguments = json.dumps({"path": PATH})
        yield {0: DeltaToolCall("read_file", arguments, tool_call_id="call_1")}
