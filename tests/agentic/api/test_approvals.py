"""What a person decides, by the client: its requests, and what it repeats."""

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from agentic import ClientError, EditedCall, Plan, PlanReplace, Remember, Rule, Rules
from common.approvals.reviews import PreviewedPlan
from common.errors import error
from tests.agentic.fake_plans import Waiting, a_call, a_plan
from tests.agentic.fakes import RUN_ID, SESSION, Script, a_run, problem

PAGE = Path(__file__).parents[3] / "docs" / "client.md"
RUN = f"/v1/sessions/{SESSION.id}/runs/{RUN_ID}"
IDS = SESSION.id, RUN_ID
PLAN = Plan.model_validate({"steps": [{"name": "look", "tool": "list_directory"}]})
EDIT = EditedCall(n=2, arguments={"path": "a", "limit": None})


def good(model, status=200):
    """An answer that carries a model."""
    return httpx.Response(status, content=model.model_dump_json())


def asked(request):
    """What was asked for: method, path, revision and body."""
    body = json.loads(request.content or b"null")
    return f"{request.method} {request.url.path}", request.headers.get("if-match"), body


async def test_a_plan_is_read_with_its_previews(connect):
    """As the orchestrator has it."""
    script = Script(good(a_plan()))
    assert await (await connect(script)).plan(*IDS) == a_plan()
    assert asked(script.requests[0]) == (f"GET {RUN}/plan", None, None)


@pytest.mark.parametrize("calls", [[EDIT], PlanReplace(calls=[EDIT])])
async def test_edited_arguments_replace_those_of_a_revision(connect, calls):
    """A null among them is one."""
    script = Script(good(a_plan(plan_revision=4)))
    assert (await (await connect(script)).replace_plan(*IDS, calls, 3)).plan_revision == 4
    body = {"calls": [{"n": 2, "arguments": {"path": "a", "limit": None}}]}
    assert asked(script.requests[0]) == (f"PUT {RUN}/plan", '"3"', body)


async def test_a_turn_is_approved_or_rejected_under_its_revision(connect):
    """Whole or in parts; only what is given is sent."""
    script = Script(good(a_run(status="queued"), 202))
    client = await connect(script)
    remember = Remember(tool="write_file", path="src/*")
    assert (await client.approve(*IDS, plan_revision=1)).status == "queued"
    await client.approve(*IDS, plan_revision=2, steps=(1, 3), remember=remember)
    await client.reject(*IDS, plan_revision=3, steps=[2], reason="no", remember=Remember())
    rule = {"tool": "write_file", "path": "src/*"}
    assert [asked(request) for request in script.requests] == [
        (f"POST {RUN}/approval", '"1"', {"decision": "approve"}),
        (f"POST {RUN}/approval", '"2"', {"decision": "approve", "steps": [1, 3], "remember": rule}),
        (f"POST {RUN}/approval", '"3"',
         {"decision": "reject", "steps": [2], "reason": "no", "remember": {}}),
    ]  # fmt: skip


async def test_a_plan_is_previewed_that_nobody_has_started(connect):
    """For a session's workspace."""
    script = Script(good(PreviewedPlan(calls=[a_call()])))
    assert (await (await connect(script)).preview_plan(SESSION.id, PLAN)).calls == [a_call()]
    what, revision, body = asked(script.requests[0])
    assert (what, revision, body["session_id"]) == ("POST /v1/plans/preview", None, SESSION.id)
    assert body["plan"]["steps"][0]["tool"] == "list_directory"


async def test_rules_are_read_and_replaced(connect):
    """Under a revision or whatever there is; an empty list is a list."""
    rules = [Rule(tool=None, path="*.pem", effect="deny")]
    script = Script(good(Rules(rules=rules, revision=2)))
    client = await connect(script)
    assert (await client.rules()).rules == rules
    assert (await client.replace_rules(rules, 1)).revision == 2
    await client.replace_rules([])
    assert [asked(request) for request in script.requests] == [
        ("GET /v1/rules", None, None),
        ("PUT /v1/rules", '"1"', {"rules": [{"path": "*.pem", "effect": "deny"}]}),
        ("PUT /v1/rules", None, {"rules": []}),
    ]


async def test_a_session_is_changed_in_what_is_given(connect):
    """The rest stays: no field that was not given is sent."""
    script = Script(good(SESSION))
    client = await connect(script)
    await client.change_session(SESSION.id, revision=0, rules=[])
    await client.change_session(
        SESSION.id, revision=1, metadata={"a": "b"}, ttl=timedelta(seconds=90)
    )
    path = f"PATCH /v1/sessions/{SESSION.id}"
    assert [asked(request) for request in script.requests] == [
        (path, '"0"', {"rules": []}),
        (path, '"1"', {"metadata": {"a": "b"}, "ttl": 90.0}),
    ]


async def test_a_run_says_what_asks_first_and_what_it_may_do(connect):
    """Unset is as the deployment has it."""
    script = Script(good(a_run(), 202))
    client = await connect(script)
    await client.start_run(SESSION.id, goal="x", approval="plan", access="read_only")
    await client.start_run(SESSION.id, goal="x")
    first, second = (asked(request)[2] for request in script.requests)
    assert (first["approval"], first["access"]) == ("plan", "read_only")
    assert "approval" not in second


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda client: client.approve(*IDS, plan_revision=1), good(a_run(), 202)),
        (lambda client: client.reject(*IDS, plan_revision=1), good(a_run(), 202)),
        (lambda client: client.replace_plan(*IDS, [EDIT], 1), good(a_plan())),
        (lambda client: client.preview_plan(SESSION.id, PLAN), good(PreviewedPlan(calls=[]))),
        (lambda client: client.replace_rules([], 1), good(Rules())),
        (lambda client: client.change_session(SESSION.id, revision=1, rules=[]), good(SESSION)),
    ],
)
async def test_a_lost_answer_to_a_decision_is_asked_for_again_as_it_was(connect, ask, answer):
    """The same body under the same revision is the same request: it takes effect once."""
    script = Script(httpx.ReadError("lost"), httpx.ConnectError("down"), answer)
    await ask(await connect(script))
    assert len(script.requests) == 3
    assert len({str(asked(request)) for request in script.requests}) == 1


async def test_a_decision_about_another_plan_is_refused_and_not_repeated(connect):
    """Somebody else was faster: that is an answer."""
    script = Script(problem(error("precondition_failed", "It has revision 2")))
    with pytest.raises(ClientError, match="precondition_failed"):
        await (await connect(script)).approve(*IDS, plan_revision=1)
    assert len(script.requests) == 1


async def test_an_answer_about_no_steps_is_refused_before_it_is_sent(connect):
    """An empty list is not all of them."""
    script = Script(good(a_run()))
    with pytest.raises(ClientError, match="not valid"):
        await (await connect(script)).approve(*IDS, plan_revision=1, steps=[])
    assert script.requests == []


async def test_the_pages_example_decides_a_run(connect, capsys):
    """It is the code on the page that runs."""
    orchestrator = Waiting()
    client = await connect(orchestrator)
    part = PAGE.read_text().partition("**A person in the loop.**")[2]
    lines = part.partition("```python\n")[2].partition("```")[0].splitlines()[1:]
    names = {}
    exec("async def example(client, session):\n" + "\n".join(lines), names)  # noqa: S102
    await names["example"](client, SESSION)
    assert orchestrator.posted[0][1]["approval"] == "writes"
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1]})]
    assert "+new" in capsys.readouterr().out
