"""The catalogue of tools: asked for seldom, and never wrong for long."""

import asyncio

import pytest

from common.errors import SystemFault
from common.tools import ToolSpec
from orchestrator.execution.catalogue import MAX_AGE, PAUSE, Catalogue

READ, WRITE = (
    ToolSpec(name=name, description="d", effect="read", arguments_schema={}, output_schema={})
    for name in ("read", "write")
)

AWAY = SystemFault("unavailable", "cannot be reached")


class ScriptedClient:
    """Gives the next answer to each question for the tools; an error is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def tools(self):
        """Return the tools there are."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Shows the time that it is set to."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        """Return the time."""
        return self.seconds


async def test_catalogue_asks_once_within_its_age_and_again_after_it():
    """Each run is checked against it: a question for each would be one more thing to wait for."""
    clock, client = Clock(), ScriptedClient([READ], [READ, WRITE])
    catalogue = Catalogue(client, clock)
    for _ in range(3):
        assert await catalogue.tools() == {"read": READ}
    clock.seconds += MAX_AGE - 0.001
    assert await catalogue.tools() == {"read": READ}
    clock.seconds += 0.001
    assert await catalogue.tools() == {"read": READ, "write": WRITE}
    assert client.answers == []


async def test_catalogue_remembers_no_failure():
    """The execution environment may be back a moment later."""
    catalogue = Catalogue(ScriptedClient(AWAY, [WRITE]), Clock())
    with pytest.raises(SystemFault):
        await catalogue.tools()
    assert await catalogue.tools() == {"write": WRITE}


async def test_catalogue_that_was_read_before_serves_while_nobody_answers(caplog):
    """A run is accepted, and its calls wait; nothing is asked again for each run meanwhile."""
    clock = Clock()
    client = ScriptedClient([READ], AWAY, AWAY, [WRITE], AWAY)
    catalogue = Catalogue(client, clock)
    assert await catalogue.tools() == {"read": READ}
    clock.seconds += MAX_AGE
    for left in (3, 3, 2):
        assert await catalogue.tools() == {"read": READ}
        assert len(client.answers) == left
        clock.seconds += PAUSE / 2
    assert caplog.text.count("those known before") == 1
    caplog.clear()
    clock.seconds += PAUSE
    assert await catalogue.tools() == {"write": WRITE}
    clock.seconds += MAX_AGE
    assert await catalogue.tools() == {"write": WRITE}
    assert "those known before" in caplog.text


async def test_catalogue_is_asked_for_by_one_while_others_go_on_with_what_is_known():
    """An execution environment that hangs would hold up every new run for seconds."""
    clock, asked, answer = Clock(), asyncio.Event(), asyncio.Event()

    class SlowClient(ScriptedClient):
        async def tools(self):
            asked.set()
            await answer.wait()
            return await super().tools()

    answer.set()
    catalogue = Catalogue(SlowClient([READ], [WRITE]), clock)
    await catalogue.tools()
    clock.seconds += MAX_AGE
    asked.clear()
    answer.clear()
    asking = asyncio.create_task(catalogue.tools())
    await asked.wait()
    assert await asyncio.wait_for(catalogue.tools(), 20) == {"read": READ}
    answer.set()
    assert await asking == {"write": WRITE}
