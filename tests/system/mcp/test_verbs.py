"""Runs started, followed, answered and cancelled by an agent, over MCP."""

import asyncio
import secrets
from contextlib import asynccontextmanager

import pytest
from mcp.client import Client

from tests.system.mcp.test_calls import KEY, name


@pytest.fixture
def verbs(shared, era):
    """Return the official client at the door for runs, to be entered by the test itself."""

    @asynccontextmanager
    async def entered():
        async with Client(f"{shared.main.url}/mcp", mode=era) as client:
            yield client

    return entered


def writing(*paths):
    """Return a plan that writes files."""
    return {
        "steps": [
            {"name": f"s{n}", "tool": "write_file", "arguments": {"path": path, "content": "x"}}
            for n, path in enumerate(paths)
        ]
    }


async def do(client, verb, meta=None, **arguments):
    """Call a verb; return the run."""
    answer = await client.call_tool(verb, arguments, meta=meta)
    assert not answer.is_error, answer
    return answer.structured_content


def which(run):
    """Name a run."""
    return {"session_id": run["session_id"], "run_id": run["run_id"]}


async def test_verbs_are_listed_with_what_they_mean(verbs):
    """And with the shape of a run."""
    async with verbs() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools.keys() == {"start_run", "run_status", "cancel_run", "approve", "send_message"}
    assert tools["run_status"].annotations.read_only_hint
    assert tools["start_run"].annotations.destructive_hint
    assert "workspace" in tools["start_run"].input_schema["required"]
    assert "status" in tools["approve"].output_schema["properties"]


async def test_plan_is_run_to_its_end(verbs, shared):
    """What has changed comes with it, and no output of a step."""
    path = name()
    async with verbs() as client:
        run = await do(client, "start_run", workspace="demo", plan=writing(path), wait=30)
        again = await do(client, "run_status", **which(run))
    assert run["status"] == "succeeded"
    assert [change["path"] for change in run["changes"]] == [path]
    assert [(step["tool"], step["status"]) for step in run["steps"]] == [
        ("write_file", "succeeded")
    ]
    assert again == run
    assert (shared.demo / path).read_text() == "x"


async def test_key_starts_one_run(verbs):
    """A start whose answer was lost is sent again."""
    path, meta = name(), {KEY: secrets.token_hex(8)}
    async with verbs() as client:
        first, second = [
            await do(client, "start_run", meta, workspace="demo", plan=writing(path), wait=30)
            for _ in range(2)
        ]
        assert first["run_id"] == second["run_id"]
        other = await client.call_tool(
            "start_run", {"workspace": "demo", "plan": writing(name())}, meta=meta
        )
    assert other.structured_content["code"] == "idempotency_conflict"


async def test_steps_are_told_while_a_newer_client_waits(shared):
    """In the call's own answer; older ones get no events."""
    told = []

    async def progress(done, _total, message):
        told.append((done, message))

    arguments = {"workspace": "demo", "plan": writing(name(), name(), name()), "wait": 30}
    async with Client(f"{shared.main.url}/mcp") as client:
        await client.call_tool("start_run", arguments, progress_callback=progress)
    assert told == [(1, "write_file"), (2, "write_file"), (3, "write_file")]


async def test_run_that_asks_is_shown_and_answered(verbs, shared):
    """By the revision that was shown, and no other."""
    paths = name(), name()
    async with verbs() as client:
        run = await do(
            client, "start_run", workspace="demo", plan=writing(*paths), approval="writes", wait=30
        )
        assert run["status"] == "awaiting_approval"
        assert "+x" in run["plan"]["calls"][0]["preview"]["diff"]
        revision = run["plan"]["plan_revision"]
        stale = await client.call_tool(
            "approve", {**which(run), "plan_revision": revision + 1, "decision": "approve"}
        )
        assert stale.structured_content["code"] == "precondition_failed"
        said = {"plan_revision": revision, "decision": "reject", "steps": [2], "reason": "no"}
        await do(client, "approve", **which(run), **said)
        said = {"plan_revision": revision + 1, "decision": "approve"}
        waiting = await do(client, "run_status", **which(run))
        said["plan_revision"] = waiting["plan"]["plan_revision"]
        await do(client, "approve", **which(run), **said)
        ended = await do(client, "run_status", **which(run), wait=30)
    assert (shared.demo / paths[0]).exists()
    assert not (shared.demo / paths[1]).exists()
    assert ended["steps"][1]["error"]["code"] == "rejected"


async def test_run_is_cancelled(verbs):
    """One that waits for a person ends at once."""
    async with verbs() as client:
        asked = {"workspace": "demo", "plan": writing(name()), "approval": "always", "wait": 30}
        run = await do(client, "start_run", **asked)
        await do(client, "cancel_run", **which(run))
        ended = await do(client, "run_status", **which(run), wait=30)
    assert ended["status"] == "cancelled"


@pytest.mark.parametrize(
    ("verb", "arguments", "code"),
    [
        ("start_run", {"goal": "x"}, "invalid_arguments"),
        ("start_run", {"workspace": "No", "goal": "x"}, "invalid_arguments"),
        ("start_run", {"workspace": "demo", "goal": "x", "steps": 3}, "invalid_arguments"),
        ("start_run", {"workspace": "demo", "goal": "dance"}, "goal_not_understood"),
        ("run_status", {"session_id": "ses_" + "0" * 32, "run_id": "run_" + "0" * 32}, "session_not_found"),
        ("send_message", {"session_id": "ses_" + "0" * 32, "run_id": "run_" + "0" * 32, "text": "x"}, "session_not_found"),
        ("start_runs", {}, "tool_not_found"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_told_as_the_tools_error(verbs, verb, arguments, code):
    """And says what is wrong with it."""
    async with verbs() as client:
        answer = await client.call_tool(verb, arguments)
    assert answer.is_error
    assert answer.structured_content["code"] == code


async def test_run_goes_on_without_the_client_that_has_waited_for_it(shared):
    """It is nobody's request; one that waits in line is waited for as long as its client stays."""
    workspace = f"w-{secrets.token_hex(4)}"
    async with Client(f"{shared.main.url}/mcp") as client:
        asked = {"workspace": workspace, "plan": writing("f"), "approval": "always"}
        first = await do(client, "start_run", **asked, wait=30)
        second = await do(client, "start_run", **asked, on_busy="enqueue")
        assert second["status"] == "queued"
        waiting = asyncio.create_task(do(client, "run_status", **which(second), wait=60))
        done, _ = await asyncio.wait({waiting}, timeout=1)
        assert not done
        waiting.cancel()
        await asyncio.wait({waiting})
        await do(client, "cancel_run", **which(first))
        assert (await do(client, "run_status", **which(second), wait=30))["status"] == (
            "awaiting_approval"
        )
        await do(client, "cancel_run", **which(second))
