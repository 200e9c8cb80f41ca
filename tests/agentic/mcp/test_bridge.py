"""What an MCP client meets on standard input and output is the orchestrator's door, unchanged."""

import asyncio

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from agentic.local.ownership import StackError
from agentic.mcp.bridge import KEY
from agentic.mcp.upstream import Question
from common.errors import error
from tests.agentic.fakes import problem
from tests.agentic.mcp.door import (
    IDENTITY,
    TOOLS,
    Bench,
    Door,
    broken,
    events,
    progress,
    refused,
    result,
    text,
)

INFO = "io.modelcontextprotocol/clientInfo"
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}


async def test_server_is_what_the_door_says_of_itself(connected):
    """Name, version and instructions are the deployment's, and what it has no handler for is not offered."""
    async with connected() as client:
        told = client.server_info
        assert (told.name, told.version, told.title) == tuple(IDENTITY.values())
        assert client.instructions == "Do as the door says."
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.prompts is None


async def test_door_without_resources_has_none_here():
    """That of the runs: a client would list them."""
    bench = Bench(Door(TOOLS))
    async with bench.upstream:
        server = await bench.server()
    assert server.get_request_handler("tools/call") is not None
    assert server.get_request_handler("resources/list") is None


async def test_request_goes_upstream_in_the_newest_revision_whatever_the_client_speaks(
    connected, door
):
    """With the headers that the protocol wants, the key, and the client's own name."""
    door.set("tools/call", text("done"))
    async with connected() as client:
        await client.call_tool("look", {"path": "ä"})
    [params], [heads] = door.asked["tools/call"], door.heads["tools/call"]
    assert (params["name"], params["arguments"]) == ("look", {"path": "ä"})
    assert params["_meta"][VERSION] == heads["mcp-protocol-version"] == "2026-07-28"
    assert params["_meta"][INFO] == {"name": "editor", "version": "3"}
    assert params["_meta"][CAPABILITIES] == {}
    assert (heads["mcp-method"], heads["mcp-name"]) == ("tools/call", "look")
    assert heads["authorization"] == "Bearer the-key"


async def test_lists_and_their_cursors_are_passed_both_ways(connected, door):
    """A client goes through the pages of the deployment, not through ours."""
    tool = {"name": "look", "description": "d", "inputSchema": SCHEMA, "outputSchema": SCHEMA}
    hints = {"ttlMs": 0, "cacheScope": "private"}
    door.set("tools/list", result(tools=[tool], nextCursor="more", **hints))
    page = {"resources": [{"uri": "file:///a", "name": "a", "size": 3}], **hints}
    door.set("resources/list", result(**page))
    template = {"name": "file", "uriTemplate": "file:///{+path}"}
    door.set("resources/templates/list", result(resourceTemplates=[template], **hints))
    async with connected() as client:
        tools = await client.list_tools()
        assert (tools.tools[0].input_schema, tools.next_cursor) == (SCHEMA, "more")
        resources = await client.list_resources(cursor="next")
        assert [(one.uri, one.size) for one in resources.resources] == [("file:///a", 3)]
        templates = await client.list_resource_templates()
        assert templates.resource_templates[0].uri_template == "file:///{+path}"
    assert door.asked["resources/list"][0]["cursor"] == "next"


async def test_resource_is_read_by_its_uri(connected, door):
    """The name of a resource that is not in ASCII travels in a header, too."""
    contents = [{"uri": "file:///ä", "text": "hello"}]
    door.set("resources/read", result(contents=contents, ttlMs=0, cacheScope="private"))
    async with connected() as client:
        read = await client.read_resource("file:///ä")
    assert read.contents[0].text == "hello"
    assert door.heads["resources/read"][0]["mcp-name"].startswith("=?base64?")
    assert KEY not in door.metas("resources/read")[0]


async def test_result_has_its_structure_its_meta_and_its_error_as_they_came(connected, door):
    """Receipts are in `_meta`; an error that a tool tells is a result."""
    receipts = {"agentic-framework/receipts": [{"path": "a"}]}
    door.set("tools/call", text("no", structuredContent={"n": 1}, isError=True, _meta=receipts))
    async with connected() as client:
        told = await client.call_tool("put", {})
    assert (told.content[0].text, told.structured_content, told.is_error) == ("no", {"n": 1}, True)
    assert told.meta.items() >= receipts.items()


async def test_error_of_the_protocol_passes_with_its_code_and_data(connected, door):
    """The problem is in its data."""
    door.set("resources/read", refused(-32602, "file_too_large: no", {"code": "file_too_large"}))
    async with connected() as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("file:///a")
    assert (caught.value.code, caught.value.message) == (-32602, "file_too_large: no")
    assert caught.value.data == {"code": "file_too_large"}


async def test_resource_that_is_not_there_has_the_code_of_the_clients_revision(
    connected, door, era
):
    """Newer ones call it invalid parameters."""
    door.set("resources/read", refused(-32602, "path_not_found: no", {"code": "path_not_found"}))
    async with connected() as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("file:///a")
    assert caught.value.code == {"auto": -32602, "legacy": -32002}[era]
    assert caught.value.data == {"code": "path_not_found"}


@pytest.mark.parametrize(
    "lost",
    [
        broken(),
        broken(httpx.ConnectError),
        broken(httpx.ReadTimeout),
        lambda _body: httpx.Response(502, text="<html>bad gateway</html>"),
        lambda _body: httpx.Response(503, json={"message": "try again"}),
        lambda _body: httpx.Response(504),
        lambda _body: problem(error("unavailable", "starting")),
        events(progress("t", 1)),
        events({"jsonrpc": "2.0", "id": 1, "result": {}}, cut=True),
    ],
    ids=["read", "connect", "timeout", "502", "503", "504", "problem", "ended", "cut"],
)
async def test_call_whose_answer_was_lost_is_sent_again_under_its_key(connected, door, lost):
    """It happens once, however often it is sent."""
    door.set("tools/call", lost, lost, text("done"))
    async with connected() as client:
        told = await client.call_tool("put", {"path": "a"})
    assert told.content[0].text == "done"
    keys = [meta[KEY] for meta in door.metas()]
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_each_call_has_a_key_of_its_own_unless_its_client_has_given_one(connected, door):
    """The same call twice is two calls; a client that can repeat its own is let to."""
    door.set("tools/call", text("done"))
    async with connected() as client:
        for meta in (None, None, {KEY: "mine"}):
            await client.call_tool("put", {"path": "a"}, meta=meta)
    first, second, third = (meta[KEY] for meta in door.metas())
    assert first != second
    assert third == "mine"


async def test_read_whose_answer_was_lost_is_sent_again(connected, door):
    """Reading twice does nothing."""
    door.set("tools/list", broken(), result(tools=[], ttlMs=0, cacheScope="private"))
    async with connected() as client:
        assert (await client.list_tools()).tools == []


async def test_call_that_finds_nobody_is_a_tool_error_that_says_what_is_known(connected, door):
    """A model reads results; the first attempt may have arrived, whatever became of the last one."""
    door.set("tools/call", broken(), broken(httpx.ConnectError))
    async with connected() as client:
        told = await client.call_tool("put", {})
    assert told.is_error
    assert told.structured_content["code"] == "unavailable"
    assert told.structured_content["outcome"] == "unknown"
    assert "Outcome: unknown" in told.content[0].text
    assert len(door.metas()) == 5


async def test_call_that_never_left_was_not_executed(connected, door):
    """So much is known."""
    door.set("tools/call", broken(httpx.ConnectError))
    async with connected() as client:
        told = await client.call_tool("put", {})
    assert told.structured_content["outcome"] == "not_executed"


async def test_refusal_is_not_sent_again(connected, door):
    """It would be refused again: as a result of a call, as an error of all else."""
    wrong = error("unauthenticated", "No such key")
    door.set("tools/call", lambda _body: problem(wrong))
    door.set("tools/list", lambda _body: problem(wrong))
    async with connected() as client:
        told = await client.call_tool("put", {})
        assert told.structured_content["code"] == "unauthenticated"
        with pytest.raises(MCPError, match="unauthenticated: No such key") as caught:
            await client.session.list_tools()
    assert caught.value.data["request_id"] == "req_of_the_answer"
    assert (len(door.asked["tools/call"]), len(door.asked["tools/list"])) == (1, 1)


async def test_progress_reaches_the_client_that_wants_it_and_never_goes_back(connected, door):
    """Also where the answer was lost in between, and the second attempt begins anew."""

    def told(*steps):
        def answer(body):
            token = body["params"]["_meta"]["progressToken"]
            end = {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "resultType": "complete"}}
            done = [] if steps[-1] == 2 else [end]
            return events(*[progress(token, n, f"step {n}") for n in steps], *done)(body)

        return answer

    door.set("tools/call", told(1, 2), told(1, 2, 3))
    heard = []

    async def hear(done, total, message):
        heard.append((done, total, message))

    async with connected() as client:
        await client.call_tool("put", {}, progress_callback=hear)
    assert heard == [(n, 3, f"step {n}") for n in (1, 2, 3)]


async def test_call_that_its_client_cancels_is_ended_upstream(connected, door):
    """A closed connection is the door's word for it; nothing is answered, and the next call works."""
    is_there, is_gone = asyncio.Event(), asyncio.Event()

    async def hold(_body):
        is_there.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_gone.set()

    door.set("tools/call", hold, text("done"))
    async with connected() as client, asyncio.timeout(10):
        calling = asyncio.create_task(client.call_tool("put", {}))
        await is_there.wait()
        calling.cancel()
        await is_gone.wait()
        assert (await client.call_tool("put", {})).content[0].text == "done"
    assert len(door.metas()) == 2


async def test_orchestrator_that_has_moved_is_found_again(door):
    """A stack that was another program's may have ended, and serve elsewhere by now."""
    asked = []

    async def locate(is_lost):
        asked.append(is_lost)
        return "http://127.0.0.2:8000" if is_lost else "http://127.0.0.1:8000"

    door.set("tools/list", broken(httpx.ConnectError), result(tools=[]))
    bench = Bench(door, locate)
    async with bench.upstream as upstream:
        server = await bench.server()
        assert server.name == "door"
        await upstream.ask(question("tools/list"))
    assert asked == [False, False, True]
    assert door.hosts == ["127.0.0.1", "127.0.0.1", "127.0.0.2"]


def question(method):
    """Return a request of nobody's."""
    return Question(method, {}, {"name": "t", "version": "1"}, {})


async def test_stack_that_cannot_be_started_is_told_to_the_call(door, connected, bench):
    """And the client may try again: the server goes on."""
    door.set("tools/call", text("done"))

    async def none(_is_lost):
        raise StackError("there is no disk")

    async with connected() as client:
        bench.locate = none
        told = await client.call_tool("put", {})
    assert (told.structured_content["code"], told.structured_content["outcome"]) == (
        "unavailable",
        "unknown",
    )
    assert "there is no disk" in told.content[0].text
