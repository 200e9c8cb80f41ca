"""Runs on live containers: by REST and by the command, errors, streams, users, kills, the stop."""

import asyncio
import subprocess
import sys
import time

import httpx
import pytest

from agentic import AgenticClient, AgenticError
from common.plans import Plan
from common.runs import Budget
from tests.live.stack import EXECUTION, KEY, ORCHESTRATOR, OTHER_KEY, REDIS, wait_until

ERRORS = [
    ("read_file", {"path": "../x"}, "path_not_allowed"),
    ("read_file", {"path": "nope"}, "path_not_found"),
    ("read_file", {"path": "dir"}, "not_a_file"),
    ("read_file", {"path": "file/x"}, "not_a_directory"),
    ("write_file", {"path": "file", "content": "x"}, "already_exists"),
    ("edit_file", {"path": "file", "edits": [{"old_text": "no", "new_text": "x"}]}, "text_not_found"),
    ("search_files", {"pattern": "("}, "invalid_pattern"),
    ("read_file", {"path": {"$from": "first/output/nope"}}, "invalid_reference"),
]  # fmt: skip


def plan(*steps):
    """Return a plan of (tool, arguments) pairs."""
    return Plan.model_validate(
        {"steps": [{"name": f"s{n}", "tool": tool, "arguments": arguments}
                   for n, (tool, arguments) in enumerate(steps)]}
    )  # fmt: skip


async def ended(client, workspace, *, budget=None, **what):
    """Run something in a session of its own, to its end."""
    session = await client.create_session(workspace)
    run = await client.start_run(session.id, budget=budget, **what)
    return await client.wait(session.id, run.id)


async def test_the_main_job_runs_by_rest(client, stack):
    """A goal, then a plan; the files are in the volume with the hashes of the receipts."""
    made = await ended(
        client,
        "job",
        goal="create file src/a.txt with 'old old', then replace old with new in *.txt",
    )
    assert made.status == "succeeded"
    read = await ended(client, "job", plan=plan(("read_file", {"path": "src/a.txt"})))
    assert read.steps[0].output["content"] == "new new"
    digest = stack.inside(EXECUTION, "sha256sum", "/data/workspaces/ann/job/src/a.txt").stdout[:64]
    assert digest == made.result.changes[-1].sha256_after


def test_the_main_job_runs_by_the_command(stack):
    """With the key from the environment."""
    command = [sys.executable, "-c", "from agentic.cli import main; main()", "run"]
    goal = ["write 'hello' to cli.txt, then read cli.txt", "--workspace", "cli"]
    for key, code in ((KEY, 0), ("wrong", 5)):
        done = subprocess.run(
            [*command, *goal, "--url", stack.url, "--api-key", key],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize(("tool", "arguments", "code"), ERRORS, ids=[item[2] for item in ERRORS])
async def test_a_tools_error_arrives_unharmed_from_the_containers(client, tool, arguments, code):
    """Through both real services."""
    setup = [("write_file", {"path": "file", "content": "x", "mode": "upsert"}),
             ("create_directory", {"path": "dir"})]  # fmt: skip
    await ended(client, "errors", plan=plan(*setup))
    steps = {"steps": [{"name": "first", "tool": "list_directory"},
                       {"name": "bad", "tool": tool, "arguments": arguments}]}  # fmt: skip
    run = await ended(client, "errors", plan=Plan.model_validate(steps))
    assert (run.status, run.error.code) == ("failed", code)
    assert run.error.hint
    assert run.error.request_id.startswith("req_")


async def test_users_cannot_see_one_another(client, stack):
    """401 without a key; another user's session, runs and events do not exist."""
    run = await ended(client, "private", goal="list")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as http:
        assert (await http.get("/v1/sessions")).status_code == 401
    async with AgenticClient(stack.url, OTHER_KEY) as other:
        for request in (
            other.session(run.session_id),
            other.run(run.session_id, run.id),
            other.cancel_run(run.session_id, run.id),
            anext(other.events(run.session_id)),
        ):
            with pytest.raises(AgenticError) as caught:
                await request
            assert caught.value.code == "session_not_found"
        assert run.session_id not in {s.id for s in (await other.sessions()).items}


def test_the_execution_environment_wants_its_own_secret(stack):
    """No token, a wrong token: 401, from where only the orchestrator can ask."""
    ask = (
        "import urllib.request as r, urllib.error as e, sys\n"
        "q = r.Request('http://execution-environment:8001/v1/tools', headers=dict([sys.argv[1:3]]))\n"
        "try: print(r.urlopen(q).status)\n"
        "except e.HTTPError as x: print(x.code)\n"
    )
    for header in (("X-None", ""), ("Authorization", "Bearer wrong")):
        assert stack.inside(ORCHESTRATOR, "python", "-c", ask, *header).stdout == "401\n"


async def test_a_stream_is_resumed_where_it_ended(client):
    """Each event once, in order."""
    run = await ended(client, "stream", goal="list, then list")
    seen = [event.seq async for event in client.events(run.session_id, run.id)]
    later = [event.seq async for event in client.events(run.session_id, run.id, after_seq=seen[2])]
    assert seen == list(range(seen[0], seen[-1] + 1))
    assert later == seen[3:]


LONG = plan(*(("write_file", {"path": f"f{n}", "content": str(n)}) for n in range(400)))


@pytest.mark.parametrize("service", [EXECUTION, REDIS])
async def test_a_kill_during_a_run_ends_in_a_truth(client, stack, service):
    """A finished run or an error that says what is known; no hang, no lost file."""
    workspace = f"kill-{service.split('-')[0]}"
    session = await client.create_session(workspace)
    run = await client.start_run(session.id, plan=LONG, budget=Budget(steps=400))
    async for event in client.events(session.id, run.id):
        if event.type == "step.succeeded":
            break
    await asyncio.to_thread(stack.docker, "kill", stack.container(service))
    await asyncio.to_thread(stack.docker, "start", stack.container(service))
    await asyncio.to_thread(wait_until, stack.is_ready, 60)
    async with asyncio.timeout(90):
        run = await client.wait(session.id, run.id)
    if run.status != "succeeded":
        assert (run.status, run.error.outcome) == ("failed", "unknown")
    done = [step for step in run.steps if step.status == "succeeded"]
    names = stack.inside(EXECUTION, "ls", f"/data/workspaces/ann/{workspace}").stdout.split()
    assert {receipt.path for step in done for receipt in step.receipts} <= set(names)


async def test_two_orchestrators_share_the_work(client, stack):
    """What one started the other can tell."""
    second = f"http://127.0.0.1:{stack.port + 1}"
    ports = f"127.0.0.1:{stack.port}-{stack.port + 1}"
    scale = ("up", "-d", "--no-recreate", "--scale")
    await asyncio.to_thread(stack.compose, *scale, "orchestrator=2", PUBLISH=ports)
    try:
        run = await ended(client, "two", goal="list")
        await asyncio.to_thread(wait_until, lambda: _answers(second))
        async with AgenticClient(second, KEY) as other:
            assert await other.run(run.session_id, run.id) == run
    finally:
        await asyncio.to_thread(stack.compose, *scale, "orchestrator=1", PUBLISH=ports)


def _answers(url):
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_the_stack_stops_within_its_grace(stack):
    """Signals reach the servers, with an open event stream and all; it comes back with its data."""
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30) as http:
        session = http.post("/v1/sessions", json={}).json()["id"]
        with http.stream("GET", f"/v1/sessions/{session}/events") as stream:
            assert next(stream.iter_lines()) == ": following"
            started = time.monotonic()
            stack.compose("stop", "--timeout", "15")
            assert time.monotonic() - started < 15
    codes = [stack.docker("inspect", "-f", "{{.State.ExitCode}}", stack.container(service)).strip()
             for service in (EXECUTION, ORCHESTRATOR)]  # fmt: skip
    assert codes == ["0", "0"]
    stack.compose("start")
    wait_until(stack.is_ready, 60)
    assert httpx.get(f"{stack.url}/v1/sessions/{session}", headers=headers).status_code == 200
