"""Every error of this vertical, at the client's end, through both services, unharmed."""

import os

import httpx
import pytest

from agentic import AgenticClient, AgenticError
from common.error_table import ERRORS
from common.plans import Plan
from common.runs import Budget

HASH = "0" * 64
JSON = {"content-type": "application/json"}
BIG = "x" * 300_000
TOOL_ERRORS = [
    ("read_file", {"path": "../x"}, "path_not_allowed", None),
    ("read_file", {"path": "link"}, "path_not_allowed", "ELOOP"),
    ("read_file", {"path": "nope"}, "path_not_found", "ENOENT"),
    ("read_file", {"path": "dir"}, "not_a_file", "EISDIR"),
    ("read_file", {"path": "file/x"}, "not_a_directory", "ENOTDIR"),
    ("read_file", {"path": "fifo"}, "unsupported_file", None),
    ("read_file", {"path": "binary"}, "binary_file", None),
    ("read_file", {"path": "big"}, "output_too_large", None),
    ("read_file", {"path": "file", "start_line": 2, "offset": 1}, "invalid_arguments", None),
    ("write_file", {"path": "file", "content": "x"}, "already_exists", None),
    ("write_file", {"path": "file", "content": "x", "mode": "upsert", "expected_sha256": HASH}, "hash_mismatch", None),
    ("create_directory", {"path": "dir", "exist_ok": False}, "already_exists", "EEXIST"),
    ("edit_file", {"path": "huge", "edits": [{"old_text": "a", "new_text": "b"}]}, "file_too_large", None),
    ("edit_file", {"path": "file", "edits": [{"old_text": "nope", "new_text": "b"}]}, "text_not_found", None),
    ("edit_file", {"path": "file", "edits": [{"old_text": "t", "new_text": "b"}]}, "text_not_unique", None),
    ("search_files", {"pattern": "("}, "invalid_pattern", None),
    ("read_file", {"path": {"$from": "before/output/nope"}}, "invalid_reference", None),
]  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _files(shared):
    demo = shared.demo
    (demo / "dir").mkdir(parents=True)
    (demo / "file").write_text("text\ntext\n")
    (demo / "binary").write_bytes(b"\xff\0")
    (demo / "big").write_text(BIG)
    (demo / "huge").write_bytes(b"a" * 2_000_000)
    (demo / "link").symlink_to("/etc")
    os.mkfifo(demo / "fifo")


@pytest.fixture
async def session(client):
    """A session on the workspace."""
    return await client.create_session("demo")


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "errno"), TOOL_ERRORS, ids=[f"{e[2]}-{e[3]}" for e in TOOL_ERRORS]
)
async def test_a_tools_error_arrives_unharmed(client, session, tool, arguments, code, errno):
    """Code, status, hint, outcome, request id, tool, path and errno: in the run and on the step."""
    plan = Plan.model_validate(
        {"steps": [{"name": "before", "tool": "list_directory"},
                   {"name": "bad", "tool": tool, "arguments": arguments}]}
    )  # fmt: skip
    run = await client.start_run(session.id, plan=plan)
    run = await client.wait(session.id, run.id)
    problem = run.error
    assert run.status == "failed"
    assert (problem.code, problem.status) == (code, ERRORS[code].status)
    assert problem.hint
    assert problem.outcome == ("executed" if code == "output_too_large" else "not_executed")
    assert problem.context.get("errno") == errno
    assert problem.request_id.startswith("req_")
    assert run.steps[1].error == problem
    if code not in ("invalid_reference", "output_too_large"):
        assert problem.source == "execution_environment"
        assert problem.context["tool"] == tool
    if code not in ("invalid_reference", "invalid_pattern", "invalid_arguments"):
        assert problem.context["path"] == arguments["path"]


@pytest.mark.parametrize(
    ("method", "path", "options", "code"),
    [
        ("GET", "/nope", {}, "route_not_found"),
        ("PATCH", "/v1/sessions", {}, "method_not_allowed"),
        ("GET", "/v1/sessions/ses_" + "0" * 32, {}, "session_not_found"),
        ("GET", "/v1/sessions/nonsense", {}, "invalid_request"),
        ("GET", "/v1/sessions?limit=0", {}, "invalid_request"),
        ("GET", "/v1/sessions?cursor=x", {}, "invalid_request"),
        ("GET", "{session}/runs/run_" + "0" * 32, {}, "run_not_found"),
        ("GET", "{session}/events?run_id=run_" + "0" * 32, {}, "run_not_found"),
        ("GET", "{session}/events", {"headers": {"Last-Event-ID": "x"}}, "invalid_request"),
        ("GET", "{session}/events", {"headers": {"Last-Event-ID": "1_0"}}, "invalid_request"),
        ("POST", "/v1/sessions", {"json": {"ttl": True}}, "invalid_request"),
        ("POST", "/v1/sessions", {"content": b"{", "headers": JSON}, "malformed_request"),
        ("POST", "/v1/sessions", {"content": b'{"workspace":"\\ud800"}', "headers": JSON}, "malformed_request"),
        ("POST", "/v1/sessions", {"content": b"{}"}, "unsupported_media_type"),
        ("POST", "/v1/sessions", {"json": {"workspace": "../x"}}, "invalid_request"),
        ("POST", "{session}/runs", {"json": {"goal": "x" * 200_000}}, "request_too_large"),
        ("POST", "{session}/runs", {"json": {}}, "invalid_request"),
        ("POST", "{session}/runs", {"json": {"goal": "list", "planner": "nope"}}, "invalid_request"),
        ("POST", "{session}/runs", {"json": {"goal": "do magic"}}, "goal_not_understood"),
        ("POST", "{session}/runs", {"json": {"plan": {"steps": [{"name": "a", "tool": "no"}]}}}, "invalid_plan"),
        ("GET", "/v1/sessions/%ff", {}, "malformed_request"),
        ("POST", "/v1/sessions", {"json": {}, "headers": [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]}, "malformed_request"),
        ("GET", "/v1/sessions", {"headers": {"Host": "evil.example"}}, "forbidden"),
        ("GET", "/v1/sessions", {"headers": {"Origin": "https://evil.example"}}, "forbidden"),
        ("GET", "/v1/sessions", {"headers": {"Origin": "null"}}, "forbidden"),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_served_is_told_why(
    shared, session, method, path, options, code
):
    """One form for all of them, with the id to ask about."""
    async with httpx.AsyncClient(base_url=shared.main.url, trust_env=False) as http:
        url = path.format(session=f"/v1/sessions/{session.id}")
        answer = await http.request(method, url, **options)
    problem = answer.json()
    assert (problem["code"], answer.status_code) == (code, ERRORS[code].status)
    assert problem["source"] == "orchestrator"
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_idempotency_keys_that_are_used_twice_and_busy_sessions_conflict(
    shared, client, session
):
    """Over the wire as well."""
    async with httpx.AsyncClient(base_url=shared.main.url, trust_env=False) as http:
        url = f"/v1/sessions/{session.id}/runs"
        key = {"Idempotency-Key": "k"}
        first = await http.post(url, json={"goal": "list"}, headers=key)
        again = await http.post(url, json={"goal": "list"}, headers=key)
        other = await http.post(url, json={"goal": "list dir"}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"{url}/{first.json()['id']}"
    assert other.json()["code"] == "idempotency_conflict"
    with (shared.demo / "slow").open("wb") as file:
        file.truncate(2**36)
    slow = Plan.model_validate(
        {"steps": [{"name": "a", "tool": "get_file_info", "arguments": {"path": "slow"}}]}
    )
    await client.wait(session.id, first.json()["id"])
    active = await client.start_run(session.id, plan=slow)
    with pytest.raises(AgenticError) as busy:
        await client.start_run(session.id, goal="list")
    waiting = await client.start_run(session.id, goal="list", on_busy="enqueue")
    with pytest.raises(AgenticError) as deleting:
        await client.delete_session(session.id)
    await client.cancel_run(session.id, active.id)
    assert (await client.wait(session.id, active.id)).status == "cancelled"
    assert (await client.wait(session.id, waiting.id)).status == "succeeded"
    assert (busy.value.code, busy.value.retryable) == ("session_busy", True)
    assert deleting.value.code == "session_busy"
    (shared.demo / "slow").unlink()


async def test_a_run_is_waited_for_if_the_client_prefers_it(shared, session):
    """RFC 7240: all lines are one list, and another preference is no wish to wait."""
    async with httpx.AsyncClient(base_url=shared.main.url, trust_env=False, timeout=30) as http:
        url = f"/v1/sessions/{session.id}/runs"
        body = {"goal": "list", "on_busy": "enqueue"}
        lines = [("Prefer", "handling=strict"), ("Prefer", "return=minimal, wait=20")]
        waited = await http.post(url, json=body, headers=lines)
        odd = await http.post(url, json=body, headers={"Prefer": "wait=soon, wait=20"})
    assert (waited.status_code, waited.json()["status"]) == (200, "succeeded")
    assert odd.status_code == 202


async def test_plan_beyond_its_budget_of_steps_does_nothing(client, session):
    """Half of it helps nobody: 100 of 101 directories were made before the error."""
    plan = Plan.model_validate(
        {"steps": [{"name": n, "tool": "list_directory"} for n in ("a", "b")]}
    )
    run = await client.start_run(session.id, plan=plan, budget=Budget(steps=1))
    run = await client.wait(session.id, run.id)
    assert (run.error.code, len(run.steps)) == ("budget_exceeded", 0)


async def test_a_call_past_its_deadline_is_told_truthfully(services):
    """Nothing was changed, and the service says so before the connection gives up."""
    stack = services(orchestrator_env={"ORCHESTRATOR_CALL_TIMEOUT": "0.5"})
    stack.demo.mkdir(parents=True)
    with (stack.demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        run = await client.start_run(session.id, goal="read the file sparse")
        run = await client.wait(session.id, run.id)
    assert (run.error.code, run.error.outcome) == ("deadline_exceeded", "not_executed")
    assert run.error.source == "execution_environment"


async def test_a_wrong_secret_between_the_services_is_not_the_clients_fault(services):
    """A 401 would send the client looking for its own key."""
    stack = services(orchestrator_env={"ORCHESTRATOR_SERVICE_TOKEN": "wrong"})
    async with AgenticClient(stack.main.url) as client:
        with pytest.raises(AgenticError) as caught:
            await client.tools()
    assert (caught.value.code, caught.value.outcome) == ("upstream_failed", "not_executed")
    assert "EXEC_ENV_SERVICE_TOKEN" in caught.value.hint


async def test_an_overloaded_execution_environment_is_waited_for(services):
    """`overloaded` was not executed, so it is tried again until there is room."""
    stack = services({"EXEC_ENV_THREADS": "1", "EXEC_ENV_BACKLOG": "0"})
    async with AgenticClient(stack.main.url) as client:
        runs = []
        for _ in range(6):
            session = await client.create_session("demo")
            runs.append(await client.start_run(session.id, goal="list; list; list"))
        ended = [await client.wait(run.session_id, run.id) for run in runs]
    assert {run.status for run in ended} == {"succeeded"}
