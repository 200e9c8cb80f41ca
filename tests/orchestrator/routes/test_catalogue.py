"""What a deployment says that it can do."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ((), (False, "no model is configured", [])),
        (("openai:m", "anthropic:n"), (True, None, ["openai:m", "anthropic:n"])),
    ],
    ids=["without a model", "with models"],
)
async def test_planners_say_whether_they_are_there_and_why_not(live, models, told):
    """A client chooses among them before it starts a run."""
    service = await live(models=models)
    async with httpx.AsyncClient() as http:
        found = (await http.get(f"http://{service.base}/v1/planners")).json()
    planners = {planner["name"]: planner for planner in found}
    assert planners.keys() == {"plan", "rules", "llm"}
    assert all(planners[name]["available"] for name in ("plan", "rules"))
    llm = planners["llm"]
    assert (llm["available"], llm["reason"], llm["models"]) == told
