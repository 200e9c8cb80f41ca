"""The catalogue of tools: asked for seldom, and never wrong for long."""

import pytest

from common.errors import SystemFault
from common.tools import ToolSpec
from orchestrator.execution.catalogue import MAX_AGE, Catalogue

READ, WRITE = (
    ToolSpec(name=name, description="d", effect="read", arguments_schema={}, output_schema={})
    for name in ("read", "write")
)


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
    clock.seconds += MAX_AGE
    assert await catalogue.tools() == {"read": READ}
    clock.seconds += 0.001
    assert await catalogue.tools() == {"read": READ, "write": WRITE}
    assert client.answers == []


@pytest.mark.parametrize("known", [[], [[READ]]])
async def test_catalogue_remembers_no_failure(known):
    """The execution environment may be back a moment later; nor is an old answer passed off as new."""
    clock = Clock()
    client = ScriptedClient(*known, SystemFault("unavailable", "cannot be reached"), [WRITE])
    catalogue = Catalogue(client, clock)
    for _ in known:
        await catalogue.tools()
    clock.seconds += MAX_AGE + 1
    with pytest.raises(SystemFault):
        await catalogue.tools()
    assert await catalogue.tools() == {"write": WRITE}
