"""Calls over MCP do not take the event loop's thread for long, though its library reads them there."""

import json

import pytest
import pytest_asyncio

from tests.system.loop_live import live_on
from tests.system.loop_probe import least_of
from tests.system.mcp.clients import called, posted
from tests.system.services import execution_environment

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.alone]
BOUND = 0.05
"""Seconds of CPU."""
BODY = 4 * 1024 * 1024
OLDER = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
TEXT = "".join(f"{n:06} 'ä\\t\"\n" for n in range(50_000))
WRITE = {"path": "text", "content": TEXT, "mode": "upsert"}


@pytest.fixture(scope="module")
def execution(tmp_path_factory):
    """An execution environment in a process of its own."""
    service = execution_environment(tmp_path_factory.mktemp("loop")).start()
    yield service
    assert service.stop() == 0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def live(execution, tmp_path_factory):
    """The orchestrator on this loop, whose door has been used."""
    async with live_on(tmp_path_factory.mktemp("loop") / "store", execution.url) as live:
        body, headers = called("write_file", WRITE)
        answer = await live.send_to("POST", "/mcp/demo", encoded(body), headers)
        assert not answer.json()["result"].get("isError"), answer.text
        yield live


def encoded(message):
    """Return a message as a client sends it."""
    return json.dumps(message, separators=(",", ":")).encode()


def with_params(**more):
    """Return a call with more than belongs to it."""
    return called("read_file", {"path": "absent"}, params=more)[0]


MANY = {f"k{n}": 1 for n in range(90_000)}
CALLS = {
    "a large file": called("write_file", {"path": "a", "content": "x" * 3_900_000})[0],
    "backslashes": called("write_file", {"path": "a", "content": "\\" * 1_900_000})[0],
    "many wrong values": called("edit_file", {"path": "a", "edits": [1] * 90_000})[0],
    "many arguments": called("read_file", MANY)[0],
    "long numbers": called("read_file", {"path": [int("1" * 4000)] * 1000})[0],
    "a long name": called("a" * 4_000_000, {})[0],
    "a long id": posted("ping", number="a" * 4_000_000)[0],
    "a long method": posted("a" * 4_000_000)[0],
    "a long state": with_params(requestState="A" * 4_000_000),
    "much about itself": posted("tools/list", meta=MANY)[0],
    "many fields": {**posted("tools/list")[0], **MANY},
    "many answers": with_params(
        inputResponses={f"k{n}": {"action": "accept"} for n in range(30_000)}
    ),
    "many wrong answers": with_params(inputResponses=MANY),
    "a batch": [{"a": 1}] * 40_000,
    "a large output": called("read_file", {"path": "text"})[0],
    "many matches": called("search_files", {"pattern": "'", "limit": 1000})[0],
    "a large resource": posted("resources/read", {"uri": "file:///text"})[0],
}


@pytest.mark.parametrize("body", CALLS.values(), ids=CALLS)
async def test_message_does_not_hold_up_the_loop(live, body, era):
    """Whatever it is within its limits, and whatever is wrong with it."""
    content, headers = encoded(body), OLDER if era == "legacy" else named(body)
    assert len(content) <= BODY

    async def act():
        answer = await live.send_to("POST", "/mcp/demo", content, headers)
        seen.add(answer.status_code)

    seen = set()
    assert await least_of(3, BOUND, act) <= BOUND
    assert len(seen) == 1
    assert seen < {200, 400, 404, 413}


def named(body):
    """Return the headers of a newer client, as far as what they say has room in them."""
    message = body if isinstance(body, dict) else body[0]
    params = message.get("params", {})
    method, name = message.get("method", ""), params.get("name", params.get("uri"))
    return posted(method[:1000], name=None if name is None else name[:1000])[1]
