"""Approval in the middle of a call: newer clients answer it themselves, older ones are asked here."""

from types import SimpleNamespace

import pytest
from mcp_types import ClientCapabilities, ElicitResult

from agentic.mcp.asking import shows_forms
from agentic.mcp.bridge import KEY, MAX_ROUNDS, Bridge
from tests.agentic.mcp.door import INFO, asks, result, text

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
APPROVE = ElicitResult(action="accept", content={"decision": "approve"})


async def test_call_that_asks_is_sent_again_with_what_its_user_says(connected, door):
    """The state goes back as it came, with the same arguments."""
    door.set("tools/call", asks("May 'put' be called?"), text("done"))
    async with connected(said=APPROVE) as client:
        told = await client.call_tool("put", {"path": "a"})
    assert told.content[0].text == "done"
    assert client.asked == ["May 'put' be called?"]
    first, second = door.asked["tools/call"]
    assert first["_meta"][CAPABILITIES] == {"elicitation": {"form": {}}}
    assert second["requestState"] == "sealed"
    said = {"action": "accept", "content": {"decision": "approve"}}
    assert second["inputResponses"] == {"approval": said}
    assert second["arguments"] == first["arguments"] == {"path": "a"}


async def test_older_clients_call_keeps_its_key_when_it_is_sent_again(connected, door):
    """It is one call, whatever is said in between."""
    door.set("tools/call", asks(), text("done"))
    async with connected(said=APPROVE, era="legacy") as client:
        await client.call_tool("put", {})
    first, second = door.metas()
    assert first[KEY] == second[KEY]


async def test_answer_of_a_newer_client_has_no_key_but_its_own(connected, door):
    """The state says which call it is about: another key would be refused."""
    door.set("tools/call", asks(), text("done"))
    async with connected(said=APPROVE, era="auto") as client:
        await client.call_tool("put", {})
    first, second = door.metas()
    assert first[KEY]
    assert KEY not in second


@pytest.mark.parametrize(
    "state",
    [{}, {"requestState": None}, {"_meta": {KEY: None}}],
    ids=["no state", "null", "a key of null"],
)
async def test_call_without_a_state_has_a_key(bench, door, state):
    """The door takes null for none, so that it would be another call each time."""
    door.set("tools/call", text("done"))
    params = {"name": "put", "arguments": {}, **state}
    session = SimpleNamespace(client_params=None, client_capabilities=None)
    context = SimpleNamespace(
        method="tools/call", params=params, protocol_version="2026-07-28", session=session
    )
    async with bench.upstream:
        await Bridge(bench.upstream, INFO).pass_on(context, None)
    assert door.metas()[0][KEY]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_what_a_user_declines_is_told_as_they_have_said_it(connected, door, action):
    """What that means is the orchestrator's to say."""
    door.set("tools/call", asks(), text("rejected", isError=True))
    async with connected(said=ElicitResult(action=action)) as client:
        assert (await client.call_tool("put", {})).is_error
    assert door.asked["tools/call"][1]["inputResponses"] == {"approval": {"action": action}}


async def test_call_can_ask_anew(connected, door):
    """The file has changed since it was shown."""
    door.set("tools/call", asks("one", "first"), asks("two", "second"), text("done"))
    async with connected(said=APPROVE) as client:
        await client.call_tool("put", {})
    assert client.asked == ["one", "two"]
    states = [params.get("requestState") for params in door.asked["tools/call"]]
    assert states == [None, "first", "second"]


async def test_call_does_not_ask_for_ever(connected, door):
    """A client may answer without anybody there."""
    door.set("tools/call", asks())
    async with connected(said=APPROVE, era="legacy") as client:
        told = await client.call_tool("put", {})
    assert told.structured_content["code"] == "upstream_failed"
    assert len(client.asked) == MAX_ROUNDS


async def test_read_that_asks_is_sent_again_likewise(connected, door):
    """Rules can be about reads."""
    contents = [{"uri": "file:///a", "text": "hello"}]
    hints = {"ttlMs": 0, "cacheScope": "private"}
    door.set("resources/read", asks(), result(contents=contents, **hints))
    async with connected(said=APPROVE) as client:
        read = await client.read_resource("file:///a")
    assert (read.contents[0].text, len(client.asked)) == ("hello", 1)


async def test_client_that_shows_no_forms_is_not_said_to(connected, door):
    """So the orchestrator tells it what to do instead."""
    door.set("tools/call", text("approval_required", isError=True))
    async with connected() as client:
        assert (await client.call_tool("put", {})).is_error
    assert door.metas()[0][CAPABILITIES] == {}


@pytest.mark.parametrize(
    ("declared", "shows"),
    [
        (None, False),
        ({}, False),
        ({"elicitation": {}}, True),
        ({"elicitation": {"form": {}}}, True),
        ({"elicitation": {"url": {}}}, False),
    ],
)
def test_client_that_names_no_way_to_ask_shows_forms(declared, shows):
    """Before there was another way, there was nothing to name."""
    told = None if declared is None else ClientCapabilities.model_validate(declared)
    context = SimpleNamespace(session=SimpleNamespace(client_capabilities=told))
    assert shows_forms(context) == shows


async def test_what_nobody_has_offered_is_not_asked_for(connected, door):
    """A model's answer, say: a form is all that the orchestrator may want."""
    wanted = {"method": "roots/list"}
    door.set(
        "tools/call",
        result(resultType="input_required", inputRequests={"x": wanted}, requestState="s"),
    )
    async with connected(said=APPROVE, era="legacy") as client:
        told = await client.call_tool("put", {})
    assert "what nobody has offered" in told.content[0].text
    assert client.asked == []
