"""The service over HTTP, as the orchestrator sees it."""

from typing import Any

import httpx
import pytest

from execution_environment.app import build, main
from execution_environment.settings import Settings

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


@pytest.fixture
async def client(tmp_path):
    """A client of the app; its start and end are the lifespan's."""
    app = build(Settings(data_dir=tmp_path / "data", service_token="secret"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://x", headers={"Authorization": "Bearer secret"}
        ) as http,
    ):
        yield http


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


async def test_a_call_is_run_and_answered(client):
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
async def test_a_call_that_breaks_the_contract_is_refused(client, change):
    """Before any tool is looked up."""
    answer = await client.post("/v1/tool-calls", json=CALL | change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_ready_names_the_guard_and_fails_without_a_disk(client, tmp_path):
    """Live says nothing about the disk."""
    assert (await client.get("/health/ready")).json()["facts"] == {"guards": ["openat2"]}
    [staging] = (tmp_path / "data/state/staging").iterdir()
    staging.rmdir()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await client.get("/health/live")).status_code == 200
    staging.mkdir()


def test_a_data_directory_that_cannot_be_used_ends_the_start(tmp_path, monkeypatch):
    """One clear line, no traceback."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXEC_ENV_DATA_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("EXEC_ENV_SERVICE_TOKEN", "secret")
    with pytest.raises(SystemExit, match="cannot be used"):
        main()
