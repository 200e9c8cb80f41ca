"""Which planner and which model a run gets, and what `GET /v1/planners` says of them."""

from common.plans import Plan
from tests.system.conversation.talking import OTHER, refused
from tests.system.models.answers import Answer

PLAN = Plan.model_validate({"steps": [{"name": "look", "tool": "list_directory", "arguments": {}}]})


async def test_the_planners_are_told_with_their_models(talk):
    """A client offers its user what there is."""
    told = {planner.name: planner for planner in await talk.client.planners()}
    assert {name: planner.available for name, planner in told.items()} == {
        "plan": True, "rules": True, "llm": True
    }  # fmt: skip
    assert told["llm"].models == ["openai:fake", OTHER]
    assert told["llm"].reason is None


async def test_without_a_model_the_llm_planner_says_why_it_is_not_there(client):
    """And a goal is for the rules."""
    told = {planner.name: planner for planner in await client.planners()}
    assert (told["llm"].available, told["llm"].models) == (False, [])
    assert "ORCHESTRATOR_MODEL" in told["llm"].reason
    session = await client.create_session()
    run = await client.start_run(session.id, goal="list all files")
    assert (await client.wait(session.id, run.id)).planner == "rules"
    refusal = await refused(client.start_run(session.id, goal="list all files", planner="llm"))
    assert refusal.code == "invalid_request"
    assert "ORCHESTRATOR_MODEL" in refusal.detail


async def test_a_goal_is_for_the_model_and_a_plan_for_itself(talk):
    """Unless the run names another."""
    talk.answer(Answer(text="Hello."))
    goal = await talk.run("say hello")
    planned = await talk.ended(await talk.client.start_run(talk.session.id, plan=PLAN))
    ruled = await talk.run("list all files", planner="rules")
    assert [run.planner for run in (goal, planned, ruled)] == ["llm", "plan", "rules"]
    assert {run.status for run in (goal, planned, ruled)} == {"succeeded"}
    assert len(talk.bodies) == 1


async def test_the_model_that_a_run_names_is_the_one_that_is_asked(talk):
    """The deployment's own where it names none."""
    talk.answer(Answer(text="one"), Answer(text="two"))
    usual, other = await talk.run("go"), await talk.run("go", model=OTHER)
    assert [body["model"] for body in talk.bodies] == ["fake", "other"]
    assert (usual.model, other.model) == (None, OTHER)
    [turn] = await talk.client.turns(talk.session.id, other.id)
    assert turn.model == OTHER


async def test_an_unknown_model_is_refused_with_the_nearest(talk):
    """Before anything is stored, and nobody is asked."""
    refusal = await refused(talk.start("go", model="openai:othre"))
    assert refusal.code == "invalid_request"
    assert "openai:othre" in refusal.detail
    assert OTHER in refusal.hint
    assert talk.bodies == []
