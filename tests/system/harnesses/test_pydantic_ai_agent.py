"""An agent of Pydantic AI at work: it reads, edits and looks again; a person sees the file."""

from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from agentic.harnesses.pydantic_ai import AgenticWorkspaceBackend

TURNS = [
    ToolCallPart("read_file", {"path": "notes.txt"}),
    ToolCallPart("write_file", {"path": "done/notes.txt", "text": "2 + 2 = 4\n"}),
    ToolCallPart("read_file", {"path": "done/notes.txt"}),
    ToolCallPart("read_file", {"path": "/etc/passwd"}),
]


async def decide(messages, _info):
    """Make the calls in turn, and say at the end what came of them."""
    returned = [
        str(part.content)
        for message in messages
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
    if len(returned) < len(TURNS):
        return ModelResponse(parts=[TURNS[len(returned)]])
    return ModelResponse(parts=[TextPart(" | ".join(returned))])


agent = Agent(FunctionModel(decide))


@agent.tool
async def read_file(context: RunContext, path: str) -> str:
    """Read a text file."""
    try:
        return await context.workspace.read_text(path)
    except OSError as error:
        return f"{type(error).__name__}: {error}"


@agent.tool
async def write_file(context: RunContext, path: str, text: str) -> str:
    """Write a text file."""
    await context.workspace.write_text(path, text)
    return "written"


async def test_an_agent_does_a_task_on_a_workspace(client, plain_pair):
    """By its own tools, over `ctx.workspace`."""
    session = await client.create_session("task")
    await client.files.write(session.id, "notes.txt", b"2 + 2 = ?\n")
    backend = AgenticWorkspaceBackend(client, workspace="task")
    result = await agent.run("Do the sum", workspace=backend)
    *good, refused = result.output.split(" | ")
    assert good == ["2 + 2 = ?\n", "written", "2 + 2 = 4\n"]
    assert refused.startswith("FileNotFoundError: ")
    assert (plain_pair.workspaces / "task/done/notes.txt").read_text() == "2 + 2 = 4\n"


async def test_the_next_run_goes_on_where_the_history_says(client):
    """The ref that Pydantic AI keeps with its messages is the session's."""
    backend = AgenticWorkspaceBackend(client)
    first = await agent.run("Begin", workspace=backend)
    again = AgenticWorkspaceBackend(client, first.all_messages()[-1].workspace_ref)
    assert await again.read_bytes("/workspace/done/notes.txt") == b"2 + 2 = 4\n"
    assert again.ref == backend.ref
