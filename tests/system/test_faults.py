"""Services that die: the client gets a truthful error or the run goes on, and nothing hangs."""

import asyncio
import json
import os
import time

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from agentic import AgenticClient
from common.plans import Plan
from common.runs import Budget
from tests.system.services import TOKEN, wait_until

MANY = Plan.model_validate(
    {"steps": [{"name": f"s{n}", "tool": "append_file",
                "arguments": {"path": "log", "content": f"{n}\n"}} for n in range(200)]}
)  # fmt: skip


async def event(client, run, kind):
    """Return a run's first event of a kind."""
    async for found in client.events(run.session_id, run.id):
        if found.type == kind:
            return found
    raise AssertionError(kind)


async def event_number(client, run, kind, number):
    """Wait until a run has had so many events of a kind."""
    async for found in client.events(run.session_id, run.id):
        number -= found.type == kind
        if number == 0:
            return
    raise AssertionError(kind)


async def test_a_run_waits_for_an_execution_environment_that_comes_back(services):
    """A refused connection was never sent: it is tried again within the call's time."""
    stack = services()
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        await client.tools()
        stack.execution.kill()
        run = await client.start_run(session.id, goal="write 'x' to f")
        await event(client, run, "step.started")
        stack.execution.start()
        run = await client.wait(session.id, run.id)
    assert run.status == "succeeded"
    assert run.steps[0].attempts > 1
    assert (stack.demo / "f").read_text() == "x"


async def test_an_execution_environment_that_stays_away_is_unavailable(services):
    """Not executed, retryable, within the call's time."""
    stack = services(orchestrator_env={"ORCHESTRATOR_CALL_TIMEOUT": "1"})
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        await client.tools()
        stack.execution.kill()
        run = await client.start_run(session.id, goal="write 'x' to f")
        run = await client.wait(session.id, run.id)
    assert (run.error.code, run.error.outcome) == ("unavailable", "not_executed")
    assert run.error.retryable is True


async def test_a_call_that_was_read_and_not_answered_is_unknown(services):
    """Killed while it works, and gone for good: the run fails, and does not pretend to know."""
    stack = services(orchestrator_env={"ORCHESTRATOR_CALL_TIMEOUT": "2"})
    stack.demo.mkdir(parents=True)
    with (stack.demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        run = await client.start_run(session.id, goal="read the file sparse")
        await event(client, run, "step.started")
        pid = stack.execution.process.pid
        await asyncio.to_thread(wait_until, lambda: _reads(pid, "sparse"))
        stack.execution.kill()
        run = await client.wait(session.id, run.id)
    assert (run.error.code, run.error.outcome, run.error.retryable) == (
        "upstream_failed", "unknown", None,
    )  # fmt: skip


async def test_a_run_outlasts_crashes_of_the_execution_environment(services):
    """Lost answers are asked for again under the same id: each line is there once, in order."""
    stack = services()
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        run = await client.start_run(session.id, plan=MANY, budget=Budget(steps=200))
        for crash in range(3):
            await event_number(client, run, "step.succeeded", 20 * crash + 5)
            stack.execution.kill()
            await asyncio.to_thread(stack.execution.start)
        run = await client.wait(session.id, run.id)
    assert run.status == "succeeded", run.error
    assert (stack.demo / "log").read_text().split() == [str(n) for n in range(200)]
    assert max(step.attempts for step in run.steps) > 1


async def test_nothing_happens_after_a_cancel(services):
    """Whatever was under way has happened, and is recorded, or it never does."""
    stack = services()
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        run = await client.start_run(session.id, plan=MANY, budget=Budget(steps=200))
        await event_number(client, run, "step.succeeded", 20)
        await client.cancel_run(session.id, run.id)
        run = await client.wait(session.id, run.id)
        lines = (stack.demo / "log").read_text().split()
        await client.wait(session.id, (await client.start_run(session.id, goal="list")).id)
    done = [step for step in run.steps if step.status == "succeeded"]
    assert (run.status, lines) == ("cancelled", [str(n) for n in range(len(done))])
    assert (stack.demo / "log").read_text().split() == lines


def _reads(pid, name):
    """Tell whether the process has the file open."""
    folder = f"/proc/{pid}/fd"
    return any(_target(f"{folder}/{fd}").endswith(name) for fd in os.listdir(folder))


def _target(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_run_goes_on_after_its_orchestrator_ended(services, end):
    """In order: at the next step. Killed: the step under way is asked for again, not repeated."""
    stack = services(orchestrator_env={"ORCHESTRATOR_LEASE": "1"})
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        run = await client.start_run(session.id, plan=MANY, budget=Budget(steps=200))
        await event(client, run, "step.succeeded")
        getattr(stack.main, end)()
        stack.main.start()
        run = await client.wait(session.id, run.id)
    assert run.status == "succeeded", run.error
    assert [step.n for step in run.steps] == list(range(1, 201))
    assert (stack.demo / "log").read_text().split() == [str(n) for n in range(200)]


async def test_open_streams_do_not_keep_the_service_alive(services):
    """A follower is let go at once, and finds its place again afterwards."""
    stack = services()
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        seen = []

        async def follow():
            async for item in client.events(session.id):
                seen.append(item.seq)

        follower = asyncio.create_task(follow())
        while not seen:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        assert await asyncio.to_thread(stack.main.stop) == 0
        assert time.monotonic() - started < 5
        await asyncio.to_thread(stack.main.start)
        await client.wait(session.id, (await client.start_run(session.id, goal="list")).id)
        while len(seen) < 6 and not follower.done():
            await asyncio.sleep(0.01)
        assert not follower.done()
        follower.cancel()
    assert seen == list(range(1, len(seen) + 1))


async def test_open_websockets_do_not_keep_the_service_alive(services):
    """They are told to come again, and find their place on whoever serves then."""
    stack = services()
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("demo")
        url = f"{stack.main.url}/v1/sessions/{session.id}/ws".replace("http", "ws", 1)
        async with connect(url, proxy=None) as follower:
            first = json.loads(await follower.recv())
            assert await asyncio.to_thread(stack.main.stop) == 0
            with pytest.raises(ConnectionClosed):
                await follower.recv()
            assert follower.close_code == 1012
        await asyncio.to_thread(stack.main.start)
        run = await client.wait(session.id, (await client.start_run(session.id, goal="list")).id)
        query = f"?after_seq={first['seq']}&run_id={run.id}"
        async with connect(url + query, proxy=None) as follower:
            events = [json.loads(text) async for text in follower]
    assert [event["seq"] for event in events] == list(range(2, 2 + len(events)))
    assert (events[-1]["type"], follower.close_code) == ("run.succeeded", 1000)


def test_a_service_that_is_asked_to_end_does_not_wait_for_long_work(services):
    """Within its grace, with nothing half done; the orchestrator repeats the call elsewhere."""
    stack = services({"EXEC_ENV_SHUTDOWN_GRACE": "1"})
    stack.demo.mkdir(parents=True)
    with (stack.demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    session = httpx.post(f"{stack.main.url}/v1/sessions", json={"workspace": "demo"}).json()
    runs = f"{stack.main.url}/v1/sessions/{session['id']}/runs"
    assert httpx.post(runs, json={"goal": "read the file sparse"}).status_code == 202
    wait_until(lambda: _reads(stack.execution.process.pid, "sparse"))
    started = time.monotonic()
    assert stack.execution.stop() == 0
    assert time.monotonic() - started < 10


@pytest.mark.alone
async def test_live_answers_while_files_keep_every_thread_busy(services):
    """No file work on the event loop."""
    stack = services({"EXEC_ENV_THREADS": "2"})
    stack.demo.mkdir(parents=True)
    with (stack.demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    call = {
        "id": "a", "fence": 1, "tool": "get_file_info", "arguments": {"path": "sparse"},
        "context": {"request_id": "r", "user_id": "local", "request_source": {"kind": "internal"},
                    "allowed_paths_root": "local/demo", "timeout": 3},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=stack.execution.url, headers=headers, timeout=30) as http:
        slow = [asyncio.create_task(http.post("/v1/tool-calls", json=call)) for _ in range(4)]
        await asyncio.to_thread(wait_until, lambda: _reads(stack.execution.process.pid, "sparse"))
        taken = []
        for _ in range(30):
            started = time.perf_counter()
            assert (await http.get("/health/live")).status_code == 200
            taken.append(time.perf_counter() - started)
        answers = await asyncio.gather(*slow)
    assert {answer.json()["code"] for answer in answers} == {"deadline_exceeded"}
    assert sorted(taken)[len(taken) // 2] < 0.05


async def test_one_request_id_can_be_followed_through_both_logs(services):
    """By its id, from the client's request to the file."""
    stack = services()
    async with httpx.AsyncClient(base_url=stack.main.url, trust_env=False) as http:
        session = (await http.post("/v1/sessions", json={})).json()["id"]
        answer = await http.post(
            f"/v1/sessions/{session}/runs",
            json={"goal": "list"},
            headers={"X-Request-ID": "follow-me", "Prefer": "wait=10"},
        )
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    for service, told in ((stack.main, "run ended"), (stack.execution, "request")):
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
        assert told in {line["event"] for line in lines if line.get("request_id") == "follow-me"}


def test_the_embedded_store_keeps_its_data(services):
    """Sessions are still there after a restart in order."""
    stack = services()
    session = httpx.post(f"{stack.main.url}/v1/sessions", json={"workspace": "w"}).json()
    assert stack.main.stop() == 0
    stack.main.start()
    assert httpx.get(f"{stack.main.url}/v1/sessions/{session['id']}").json() == session
