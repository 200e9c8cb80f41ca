"""Commands that look at a place before they act."""

import pytest

from common.errors import ToolError
from tests.orchestrator.planners.rules.deciding import decide, done


@pytest.mark.parametrize("goal", ["copy a to d", "move a to d", "copy a into d", "what is in d?"])
async def test_transfer_ends_the_run_when_its_look_fails_for_another_reason(goal):
    """Only a missing path and a file tell what a place is; a fault tells nothing."""
    denied = ToolError("permission_denied", "no")
    [look] = (await decide(goal)).calls
    with pytest.raises(ToolError) as caught:
        await decide(goal, done(look.name, error=denied))
    assert caught.value.code == "permission_denied"
