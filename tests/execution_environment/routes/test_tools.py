"""Tool calls over HTTP: the list, a call, and DELETE of one, on record and held to its fence."""

from typing import Any

import pytest

from tests.execution_environment.routes.conftest import (
    ANOTHERS,
    CONTEXT,
    RUN,
    body,
    headers,
    last_record,
)

CALL: dict[str, Any] = {
    "id": "run_1:1:1",
    "fence": 1,
    "tool": "list_directory",
    "arguments": {},
    "context": {
        "request_id": "req_1",
        "user_id": "local",
        "request_source": {"kind": "internal"},
        "allowed_paths_root": "local/demo",
        "timeout": 5,
    },
}


async def test_tools_are_listed_with_their_schemas(client):
    """A planner knows from here what it can ask for."""
    tools = {tool["name"]: tool for tool in (await client.get("/v1/tools")).json()}
    assert sorted(tools) == [
        "append_file", "apply_patch", "copy_path", "create_directory", "delete_path", "edit_file", "find_files",
        "get_file_info", "list_directory", "move_path", "read_file", "read_files", "search_files",
        "write_file",
    ]  # fmt: skip
    assert tools["read_file"]["effect"] == "read"
    assert "path" in tools["read_file"]["arguments_schema"]["required"]
    sha256 = tools["read_file"]["output_schema"]["properties"]["sha256"]
    assert [either["type"] for either in sha256["anyOf"]] == ["string", "null"]
    assert all(tool["description"] for tool in tools.values())


async def test_a_tool_call_is_run_and_answered(client):
    """The whole way: route, executor, tool, sandbox."""
    answer = await client.post("/v1/tool-calls", json=CALL)
    assert (answer.status_code, answer.json()["output"]["entries"]) == (200, [])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "no spaces"}, {"fence": -1}, {"fence": 2**63}, {"arguments": []}, {"extra": 1},
        {"context": CALL["context"] | {"timeout": 0}},
        {"context": CALL["context"] | {"allowed_paths_root": "local/../x"}},
        {"context": CALL["context"] | {"user_id": "someone"}},
        {"context": CALL["context"] | {"limits": {"max_read_bytes": 0}}},
    ],
)  # fmt: skip
async def test_a_tool_call_that_breaks_the_contract_is_refused(client, change):
    """Before any tool is looked up."""
    answer = await client.post("/v1/tool-calls", json=CALL | change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_every_delete_of_a_tool_call_is_on_record(client):
    """With who asked, and what had become of the call; one that is refused as well."""
    await client.post("/v1/tool-calls", json=body("done"))
    outcomes = []
    for call_id, context in (("done", CONTEXT), ("never", CONTEXT), ("never", ANOTHERS)):
        await client.delete(f"/v1/tool-calls/{call_id}", headers=headers(1, context))
        record = await last_record(client)
        outcomes.append((record["tool"], record["id"], record["outcome"], record["code"]))
        assert (record["context"]["user_id"], record["context"]["run_id"]) == ("ann", RUN)
    assert outcomes == [
        ("settle_call", "done", "executed", None),
        ("settle_call", "never", "not_executed", None),
        ("settle_call", "never", "not_executed", "invalid_request"),
    ]
    await client.delete("/v1/tool-calls/bare", headers={"X-Request-ID": "by-hand"})
    assert (await last_record(client))["context"]["request_id"] == "by-hand"


async def test_delete_of_a_tool_call_that_has_happened_returns_its_result(client):
    """Whoever cancels learns what was changed; asked again, the same."""
    made = (await client.post("/v1/tool-calls", json=body())).json()
    for _ in range(2):
        told = await client.delete("/v1/tool-calls/a", headers=headers())
        assert told.status_code == 200
        assert told.json() == {
            "id": "a", "outcome": "executed", "result": {**made, "replayed": True},
        }  # fmt: skip


async def test_delete_of_a_tool_call_that_never_came_leaves_a_tombstone(client):
    """A copy of the call that is still on its way is expired, and does nothing."""
    for _ in range(2):
        told = await client.delete("/v1/tool-calls/a", headers=headers())
        assert told.status_code == 200
        assert told.json() == {"id": "a", "outcome": "not_executed", "result": None}
    late = await client.post("/v1/tool-calls", json=body())
    problem = late.json()
    assert (late.status_code, problem["code"]) == (409, "call_expired")
    assert problem["outcome"] == "not_executed"
    listed = {**body("look"), "tool": "list_directory", "arguments": {}}
    assert (await client.post("/v1/tool-calls", json=listed)).json()["output"]["entries"] == []


async def test_delete_of_a_tool_call_with_a_stale_fence_is_fenced(client):
    """It would poison the id for the owner that makes the call next."""
    await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=7))
    refused = await client.delete(f"/v1/tool-calls/{RUN}:2:1", headers=headers(6))
    assert (refused.status_code, refused.json()["code"]) == (409, "fenced")
    assert refused.json()["context"] == {"limit": 7, "actual": 6}
    assert (await last_record(client))["code"] == "fenced"
    made = await client.post("/v1/tool-calls", json=body(f"{RUN}:2:1", fence=7))
    assert made.status_code == 200, made.text


async def test_delete_of_a_tool_call_holds_against_its_owner_and_not_against_the_next(client):
    """An owner that has lost its lease settles before the next one is seen here."""
    settled = await client.delete(f"/v1/tool-calls/{RUN}:1:1", headers=headers(6))
    assert settled.json()["outcome"] == "not_executed"
    late = await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=6))
    assert (late.status_code, late.json()["code"]) == (409, "call_expired")
    made = await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=7))
    assert made.status_code == 200, made.text
    told = await client.delete(f"/v1/tool-calls/{RUN}:1:1", headers=headers(7))
    assert told.json()["outcome"] == "executed"


async def test_delete_of_a_tool_call_without_a_session_holds_against_all(client):
    """Whoever asks by hand means the call, not an owner."""
    await client.delete(f"/v1/tool-calls/{RUN}:1:1", headers=headers(6))
    await client.delete(f"/v1/tool-calls/{RUN}:1:1")
    late = await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=7))
    assert (late.status_code, late.json()["code"]) == (409, "call_expired")
