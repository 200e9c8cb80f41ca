"""Approval in the middle of a call: what people say counts once, for what they were shown, and for them."""

import hashlib
import json
import secrets

import httpx
import pytest
from mcp_types import ElicitResult

from tests.system.mcp.clients import ANN, BOB, approve, called, connected, reject
from tests.system.services import execution_environment, orchestrator

KEYS = ",".join(
    f"{hashlib.sha256(key.encode()).hexdigest()}:{user}"
    for key, user in ((ANN, "ann"), (BOB, "bob"))
)


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """Services where changes ask a person, for two users."""
    directory = tmp_path_factory.mktemp("asking")
    execution = execution_environment(directory).start()
    settings = {"ORCHESTRATOR_APPROVAL": "plan", "ORCHESTRATOR_API_KEYS": KEYS}
    main = orchestrator(directory, execution, **settings).start()
    main.files = directory / "data" / "workspaces"
    yield main
    assert (main.stop(), execution.stop()) == (0, 0)


@pytest.fixture
async def http(asking):
    """Plain HTTP by ann."""
    headers = {"Authorization": f"Bearer {ANN}"}
    async with httpx.AsyncClient(
        base_url=asking.url, headers=headers, trust_env=False, timeout=30
    ) as http:
        yield http


@pytest.fixture
def path():
    """A file that no other test has."""
    return f"{secrets.token_hex(6)}.txt"


def file(asking, path, user="ann", workspace="demo"):
    """Return where a file lies."""
    return asking.files / user / workspace / path


async def ask(http, path, *, content="one\n", **more):
    """Have a change ask; return the result that asks."""
    body, headers = called("write_file", {"path": path, "content": content}, forms=True, **more)
    result = (await http.post("/mcp/demo", json=body, headers=headers)).json()["result"]
    assert result["resultType"] == "input_required"
    return result


async def answer(http, path, state, *, content="one\n", workspace="demo", said=None, auth=None):
    """Send the call again with a state and what a person has said."""
    said = said or {"action": "accept", "content": {"decision": "approve"}}
    more = {"requestState": state, "inputResponses": {"approval": said}}
    body, headers = called(
        "write_file", {"path": path, "content": content}, forms=True, params=more
    )
    if auth is not None:
        headers = {**headers, "Authorization": f"Bearer {auth}"}
    return (await http.post(f"/mcp/{workspace}", json=body, headers=headers)).json()


async def test_change_that_is_approved_is_made_and_a_read_asks_nobody(asking, path):
    """What is shown is what would come of it, by a dry run."""
    async with connected(asking, key=ANN, said=approve()) as client:
        answered = await client.call_tool("write_file", {"path": path, "content": "one\n"})
        read = await client.call_tool("read_file", {"path": path})
    assert not answered.is_error
    assert read.structured_content["content"] == "one\n"
    [shown] = client.asked
    assert "'write_file'" in shown
    assert "'demo'" in shown
    assert "+one" in shown


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (reject("not now"), "not now"),
        (reject(), ""),
        (ElicitResult(action="decline"), ""),
        (ElicitResult(action="cancel"), ""),
        (ElicitResult(action="accept", content={}), ""),
    ],
    ids=["reason", "rejected", "declined", "cancelled", "nothing"],
)
async def test_change_that_is_not_approved_is_not_made(asking, path, said, reason):
    """Whatever the way in which a person does not approve."""
    async with connected(asking, key=ANN, said=said) as client:
        answered = await client.call_tool("write_file", {"path": path, "content": "one\n"})
    assert answered.structured_content["code"] == "rejected"
    assert reason in answered.structured_content["detail"]
    assert not file(asking, path).exists()


async def test_client_that_can_ask_nobody_is_told_what_to_do(asking, path, era):
    """An older one could not be asked in the middle of a call."""
    said = approve() if era == "legacy" else None
    async with connected(asking, era=era, key=ANN, said=said) as client:
        answered = await client.call_tool("write_file", {"path": path, "content": "x"})
    assert answered.structured_content["code"] == "approval_required"
    assert not file(asking, path).exists()


async def test_approval_that_is_replayed_has_one_effect(asking, http, path):
    """The state belongs to one call, however often it is sent."""
    state = (await ask(http, path))["requestState"]
    first = await answer(http, path, state)
    assert not first["result"].get("isError")
    file(asking, path).write_text("by somebody else")
    again = await answer(http, path, state)
    assert again["result"]["_meta"]["agentic-framework/call"]["replayed"]
    assert file(asking, path).read_text() == "by somebody else"


@pytest.mark.parametrize("forms", [True, False], ids=["can be asked", "cannot"])
async def test_call_that_was_made_under_its_key_is_not_asked_about_again(asking, http, path, forms):
    """It is answered as it was, also to a client that could not be asked; nothing happens."""
    key = secrets.token_hex(8)
    state = (await ask(http, path, key=key))["requestState"]
    made = await answer(http, path, state)
    file(asking, path).write_text("by somebody else")
    body, headers = called(
        "write_file", {"path": path, "content": "one\n"}, key=key, forms=forms
    )  # fmt: skip
    again = (await http.post("/mcp/demo", json=body, headers=headers)).json()
    assert again["result"]["_meta"]["agentic-framework/call"]["replayed"]
    assert again["result"]["structuredContent"] == made["result"]["structuredContent"]
    assert file(asking, path).read_text() == "by somebody else"


async def test_state_is_for_its_user_workspace_and_arguments_alone(asking, http, path):
    """Nobody approves of anything with what was sealed for another call."""
    state = (await ask(http, path))["requestState"]
    refused = [
        await answer(http, path, state, auth=BOB),
        await answer(http, path, state, workspace="other"),
        await answer(http, path, state, content="two\n"),
        await answer(http, f"{path}.x", state),
        await answer(http, path, state[:-8] + "AAAAAAAA"),
        await answer(http, path, state[:40]),
        await answer(http, path, json.dumps({"id": "mcp:1", "expected": None})),
        await answer(http, path, ""),
    ]
    assert {one["error"]["code"] for one in refused} == {-32602}
    assert not file(asking, path).exists()
    assert not file(asking, path, user="bob").exists()


async def test_answer_without_a_question_approves_of_nothing(http, path, asking):
    """A client could send it with its first request."""
    body, headers = called(
        "write_file",
        {"path": path, "content": "x"},
        forms=True,
        params={"inputResponses": {"approval": approve().model_dump(exclude_none=True)}},
    )
    result = (await http.post("/mcp/demo", json=body, headers=headers)).json()["result"]
    assert result["resultType"] == "input_required"
    assert not file(asking, path).exists()


async def test_file_that_has_changed_since_it_was_shown_asks_anew(asking, http, path):
    """What was approved is what happens, or nothing does."""
    state = (await ask(http, path))["requestState"]
    file(asking, path).parent.mkdir(parents=True, exist_ok=True)
    file(asking, path).write_text("a newcomer\n")
    body = (await answer(http, path, state))["result"]
    assert file(asking, path).read_text() == "a newcomer\n"
    # mode "create" refuses it by now; a person can approve of nothing there
    assert body["structuredContent"]["code"] == "already_exists"


async def test_changed_file_that_can_still_be_written_is_shown_as_it_is_now(asking, http, path):
    """And the second approval is for that."""
    arguments = {"path": path, "content": "new\n", "mode": "upsert"}

    async def send(**params):
        body, headers = called("write_file", arguments, forms=True, params=params)
        return (await http.post("/mcp/demo", json=body, headers=headers)).json()["result"]

    asked = await send()
    file(asking, path).parent.mkdir(parents=True, exist_ok=True)
    file(asking, path).write_text("old\n")
    said = {"approval": {"action": "accept", "content": {"decision": "approve"}}}
    anew = await send(requestState=asked["requestState"], inputResponses=said)
    assert anew["resultType"] == "input_required"
    assert "-old" in anew["inputRequests"]["approval"]["params"]["message"]
    assert file(asking, path).read_text() == "old\n"
    made = await send(requestState=anew["requestState"], inputResponses=said)
    assert not made.get("isError")
    assert file(asking, path).read_text() == "new\n"


async def test_call_that_was_shown_to_change_nothing_changes_nothing(asking, http, path):
    """Who approves of no change has not approved of the one that it would be by now."""
    arguments = {"path": path, "content": "same\n", "mode": "upsert"}

    async def send(**params):
        body, headers = called("write_file", arguments, forms=True, params=params)
        return (await http.post("/mcp/demo", json=body, headers=headers)).json()["result"]

    file(asking, path).parent.mkdir(parents=True, exist_ok=True)
    file(asking, path).write_text("same\n")
    asked = await send()
    file(asking, path).write_text("by somebody else\n")
    said = {"approval": {"action": "accept", "content": {"decision": "approve"}}}
    anew = await send(requestState=asked["requestState"], inputResponses=said)
    assert anew["resultType"] == "input_required"
    assert "-by somebody else" in anew["inputRequests"]["approval"]["params"]["message"]
    assert file(asking, path).read_text() == "by somebody else\n"


async def test_rules_hold_for_calls_over_mcp(asking, http, path):
    """They come before the policy, and a denial before what a person has said."""
    tag = secrets.token_hex(4)
    rules = [
        {"tool": "write_file", "path": f"free-{tag}/**", "effect": "allow"},
        {"path": f"shut-{tag}/**", "effect": "deny"},
        {"tool": "read_file", "path": f"seen-{tag}/**", "effect": "ask"},
    ]
    state = (await ask(http, f"shut-{tag}/f"))["requestState"]
    revision = (await http.get("/v1/rules")).headers["ETag"]
    put = await http.put("/v1/rules", json={"rules": rules}, headers={"If-Match": revision})
    assert put.status_code == 200
    denied = (await answer(http, f"shut-{tag}/f", state))["result"]
    assert denied["structuredContent"]["code"] == "denied_by_rule"
    async with connected(asking, key=ANN, said=approve()) as client:
        free = {"path": f"free-{tag}/{path}", "content": "x"}
        assert not (await client.call_tool("write_file", free)).is_error
        assert client.asked == []
        shut = await client.call_tool("read_file", {"path": f"shut-{tag}/f"})
        assert shut.structured_content["code"] == "denied_by_rule"
        await client.call_tool("read_file", {"path": f"seen-{tag}/f"})
        assert len(client.asked) == 1
    assert not file(asking, f"shut-{tag}/f").exists()


async def test_users_have_their_own_workspaces_and_their_own_keys(asking, http, path):
    """A workspace of another's name is another's; no key opens a second one."""
    async with connected(asking, key=BOB, said=approve()) as client:
        await client.call_tool("write_file", {"path": path, "content": "of bob"})
    assert file(asking, path, user="bob").read_text() == "of bob"
    async with connected(asking, key=ANN) as client:
        read = await client.call_tool("read_file", {"path": path})
    assert read.structured_content["code"] == "path_not_found"
    body, headers = called("read_file", {"path": path})
    refused = await http.post(
        "/mcp/demo", json=body, headers={**headers, "Authorization": "Bearer wrong"}
    )
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_a_key_is_another_call_for_another_user(asking, path):
    """What one has done is no answer to the other."""
    meta = {"agentic-framework/idempotency-key": f"same-{secrets.token_hex(8)}"}
    for key in (ANN, BOB):
        async with connected(asking, key=key, said=approve()) as client:
            made = await client.call_tool("write_file", {"path": path, "content": "x"}, meta=meta)
        assert not made.is_error
        assert not made.meta["agentic-framework/call"]["replayed"]
