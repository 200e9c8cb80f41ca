"""A deep agent at work, with a model that says what it is to say: by their tools, on our files."""

import pytest
from deepagents import create_deep_agent
from langchain_core.messages import AIMessage, ToolMessage

from agentic import AgenticClient, Rule
from agentic.harnesses.deepagents import AgenticBackend
from tests.system.harnesses.scripted import Scripted

CALLS = [
    ("read_file", {"file_path": "/work/notes.txt"}),
    (
        "edit_file",
        {"file_path": "/work/notes.txt", "old_string": "= ?", "new_string": "= 4"},
    ),
    ("grep", {"pattern": "= 4", "path": "/work", "output_mode": "content"}),
    ("write_file", {"file_path": "/secrets/k", "content": "x"}),
]


@pytest.fixture
def backend(plain_pair):
    """A backend on a workspace of its own."""
    with AgenticBackend(AgenticClient(plain_pair.url), workspace="deep-agent") as backend:
        backend.write("/work/notes.txt", "2 + 2 = ?\n")
        yield backend


@pytest.fixture
def model():
    """A model with the calls above, and an answer."""
    turns = [
        AIMessage(content="", tool_calls=[{"name": name, "args": args, "id": f"call_{n}"}])
        for n, (name, args) in enumerate(CALLS)
    ]
    return Scripted(responses=[*turns, AIMessage(content="Done.")])


@pytest.mark.parametrize("form", ["invoke", "ainvoke"])
async def test_a_deep_agent_does_a_task_on_a_workspace(client, plain_pair, backend, model, form):
    """In both forms; what a rule denies is told to its model, and not done."""
    session = await client.session(backend.session_id)
    rules = [Rule(path="secrets/**", effect="deny")]
    await client.change_session(session.id, revision=session.revision, rules=rules)
    asked = {"messages": [{"role": "user", "content": "Do the sum"}]}
    agent = create_deep_agent(model=model, backend=backend)
    state = agent.invoke(asked) if form == "invoke" else await agent.ainvoke(asked)
    told = [one.text for one in state["messages"] if isinstance(one, ToolMessage)]
    assert ["= ?" in told[0], "= 4" in told[2], "denied_by_rule" in told[3]] == [True] * 3
    assert (plain_pair.workspaces / "deep-agent/work/notes.txt").read_text() == "2 + 2 = 4\n"
    assert not (plain_pair.workspaces / "deep-agent/secrets").exists()
    assert {"ls", "glob", "grep", "edit_file"} <= set(model.offered)
    assert "execute" not in model.offered
