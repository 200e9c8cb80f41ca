"""Two orchestrators on one Redis, and an execution environment that is killed between two attempts."""

import asyncio
import secrets
from types import SimpleNamespace

import httpx
import pytest
import pytest_asyncio

from agentic import AgenticClient
from orchestrator.store.server.embedded import embedded_server
from tests.system.mcp.clients import called
from tests.system.mcp.holding import hold, is_under_way
from tests.system.services import execution_environment, orchestrator, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
APPROVED = {"approval": {"action": "accept", "content": {"decision": "approve"}}}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(tmp_path_factory):
    """Two orchestrators where deletions ask, on one store and one execution environment."""
    directory = tmp_path_factory.mktemp("replicas")
    async with embedded_server(directory / "redis") as server:
        execution = execution_environment(directory).start()
        replicas = [
            orchestrator(directory / name, execution, ORCHESTRATOR_REDIS_URL=server.url)
            for name in ("one", "two")
        ]
        try:
            for replica in replicas:
                replica.start()
            await have_deletions_ask(replicas[0])
            files = directory / "data" / "workspaces" / "local"
            yield SimpleNamespace(execution=execution, replicas=replicas, files=files)
        finally:
            for service in (*replicas, execution):
                service.stop()


async def have_deletions_ask(replica):
    """Have a person asked before anything is deleted."""
    rules = {"rules": [{"tool": "delete_path", "effect": "ask"}]}
    async with httpx.AsyncClient(base_url=replica.url, trust_env=False) as http:
        revision = (await http.get("/v1/rules")).headers["ETag"]
        put = await http.put("/v1/rules", json=rules, headers={"If-Match": revision})
    assert put.status_code == 200


@pytest.fixture
def workspace():
    """A workspace that no other test has."""
    return f"w-{secrets.token_hex(4)}"


async def send(replica, workspace, tool, arguments, **more):
    """Send a call by a connection of its own; return its result."""
    body, headers = called(tool, arguments, **more)
    async with httpx.AsyncClient(base_url=replica.url, trust_env=False, timeout=60) as http:
        answer = await http.post(f"/mcp/{workspace}", json=body, headers=headers)
    return answer.json()["result"]


def is_replayed(result):
    return result["_meta"]["agentic-framework/call"]["replayed"]


async def test_approval_that_one_replica_has_asked_for_is_given_to_the_other(stack, workspace):
    """Whichever a client's next request comes to; and both may be sent the same answer."""
    one, two = stack.replicas
    arguments = {"path": "a"}
    await send(one, workspace, "write_file", {"path": "a", "content": "x"})
    asked = await send(one, workspace, "delete_path", arguments, forms=True)
    assert asked["resultType"] == "input_required"
    said = {"params": {"requestState": asked["requestState"], "inputResponses": APPROVED}}
    deleted = await send(two, workspace, "delete_path", arguments, forms=True, **said)
    assert not deleted.get("isError")
    assert not (stack.files / workspace / "a").exists()
    await send(two, workspace, "write_file", {"path": "a", "content": "y"})
    again = await send(one, workspace, "delete_path", arguments, forms=True, **said)
    assert is_replayed(again)
    assert (stack.files / workspace / "a").read_text() == "y"


async def test_key_that_is_used_at_both_replicas_at_once_is_one_call(stack, workspace):
    """A client that is impatient, or whose proxy is."""
    arguments = {"path": "a", "content": "x"}
    results = await asyncio.gather(
        *(
            send(stack.replicas[n % 2], workspace, "append_file", arguments, key="once")
            for n in range(20)
        )
    )
    assert [result for result in results if result.get("isError")] == []
    assert sorted(map(is_replayed, results)) == [False] + [True] * 19
    assert (stack.files / workspace / "a").read_text() == "x"


async def test_calls_at_both_replicas_are_told_of_in_one_session(stack, workspace):
    """Each call once, whichever has made it, and whichever has opened the session."""
    paths = [f"f{n}" for n in range(10)]
    await asyncio.gather(
        *(
            send(stack.replicas[n % 2], workspace, "write_file", {"path": path, "content": ""})
            for n, path in enumerate(paths)
        )
    )
    async with AgenticClient(stack.replicas[0].url) as client:
        listed = (await client.sessions()).items
        [session] = [session for session in listed if session.workspace == workspace]
        told = []
        async with asyncio.timeout(20):
            async for event in client.events(session.id):
                if event.type == "call.succeeded":
                    told += [receipt["path"] for receipt in event.data["receipts"]]
                if len(told) == len(paths):
                    break
    assert sorted(told) == paths


async def test_session_that_one_replica_has_deleted_is_opened_anew_by_the_other(stack, workspace):
    """It had been remembered there; no call is lost, and what it did is told in the new one."""
    one, two = stack.replicas
    await send(two, workspace, "list_directory", {})
    async with AgenticClient(one.url) as client:
        [old] = [one for one in (await client.sessions()).items if one.workspace == workspace]
        await client.delete_session(old.id)
        wrote = await send(two, workspace, "write_file", {"path": "a", "content": "x"})
        assert not wrote.get("isError")
        [new] = [one for one in (await client.sessions()).items if one.workspace == workspace]
        async with asyncio.timeout(20):
            async for event in client.events(new.id):
                if event.type == "call.succeeded":
                    break
    assert new.id != old.id


async def test_key_outlives_an_execution_environment_that_is_killed(stack, workspace):
    """What was done before is known after, and the call that it was killed with is made once."""
    one, two = stack.replicas
    calls = {key: {"path": key, "content": "x"} for key in ("before", "meanwhile")}
    await send(one, workspace, "append_file", calls["before"], key="before")
    hold(stack.execution)
    sending = asyncio.create_task(
        send(one, workspace, "append_file", calls["meanwhile"], key="meanwhile")
    )
    await asyncio.to_thread(wait_until, lambda: is_under_way(stack.execution))
    await asyncio.to_thread(stack.execution.kill)
    await asyncio.to_thread(stack.execution.start)
    assert not (await sending).get("isError")
    for key, arguments in calls.items():
        again = await send(two, workspace, "append_file", arguments, key=key)
        assert is_replayed(again)
        assert (stack.files / workspace / key).read_text() == "x"
