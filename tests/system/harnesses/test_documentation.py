"""The examples of docs/harnesses.md, as they stand there."""

import re
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from tests.system.harnesses.scripted import Scripted

PAGE = Path(__file__).parents[3] / "docs/harnesses.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
NOTES = b"2 + 2 = 4\n"


def copy(messages, _info):
    """Read, write what was read, and end."""
    returned = [
        part.content
        for message in messages
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
    if not returned:
        return ModelResponse(parts=[ToolCallPart("read", {"path": "notes.txt"})])
    if len(returned) == 1:
        arguments = {"path": "copy.txt", "text": returned[0]}
        return ModelResponse(parts=[ToolCallPart("write", arguments)])
    return ModelResponse(parts=[TextPart("Copied.")])


def a_deep_model():
    """Writes, and ends."""
    call = {"file_path": "/copy.txt", "content": NOTES.decode()}
    tool_calls = [{"name": "write_file", "args": call, "id": "call_1"}]
    turns = [AIMessage(content="", tool_calls=tool_calls), AIMessage(content="Copied.")]
    return Scripted(responses=turns)


@pytest.fixture
async def notes(client, plain_pair):
    """The workspace of the examples, with what they read."""
    session = await client.create_session("demo")
    await client.files.write(session.id, "notes.txt", NOTES)
    yield plain_pair.workspaces / "demo"
    await client.delete_session(session.id)


def run(example, plain_pair, model=None):
    """Run an example against the services."""
    there = example.replace("http://127.0.0.1:8000", plain_pair.url)
    assert there != example
    code = compile(there, str(PAGE), "exec")
    exec(code, {"model": model, "__name__": "example"})  # noqa: S102 - our own page's


def test_there_are_as_many_examples_as_are_run_here():
    """One more would not be. The third is run beside the tests of its own room."""
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize(
    ("example", "model"),
    [(EXAMPLES[0], FunctionModel(copy)), (EXAMPLES[1], a_deep_model())],
    ids=["pydantic_ai", "deepagents"],
)
def test_an_agent_of_the_page_does_its_task(plain_pair, notes, capsys, example, model):
    """A newcomer's first program."""
    (notes / "copy.txt").unlink(missing_ok=True)
    run(example, plain_pair, model)
    assert (notes / "copy.txt").read_bytes() == NOTES
    assert capsys.readouterr().out == "Copied.\n"


def test_the_person_of_the_page_sees_a_diff_and_approves_it(plain_pair, capsys):
    """The write goes on then."""
    run(EXAMPLES[3], plain_pair)
    assert "+new" in capsys.readouterr().out
