"""The example of docs/harnesses.md, as it stands there."""

import asyncio
import re
from pathlib import Path

from tests.system.harnesses.openai_agents.model import ScriptedModel, calls, patches, says
from tests.system.harnesses.openai_agents.working import content_of

PAGE = Path(__file__).parents[4] / "docs/harnesses.md"
SECTION = PAGE.read_text().partition("## OpenAI Agents SDK")[2]
[EXAMPLE] = re.findall(r"```python\n(.*?)```", SECTION.partition("\n## ")[0], re.DOTALL)


async def test_agent_of_the_page_does_its_task(plain_pair, client, capsys):
    """A newcomer's first program, in a process whose loop is its own."""
    session = await client.create_session("demo")
    await client.files.write(session.id, "notes.txt", b"2 + 2 = 4\n")
    model = ScriptedModel(
        calls("read_file", path="notes.txt"),
        patches("*** Add File: openai.txt", "+2 + 2 = 4", "+"),
        says("Copied."),
    )
    there = EXAMPLE.replace("http://127.0.0.1:8000", plain_pair.url)
    assert there != EXAMPLE
    code = compile(there, str(PAGE), "exec")
    await asyncio.to_thread(exec, code, {"model": model, "__name__": "example"})
    assert "2 + 2 = 4" in model.outputs()[0]
    assert capsys.readouterr().out == "Copied.\n"
    assert await content_of(client, "demo", "openai.txt") == b"2 + 2 = 4\n"
