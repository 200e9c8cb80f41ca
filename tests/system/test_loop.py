"""Nothing takes the event loop's thread for long: leases are renewed on it, and all are served by it.

The orchestrator runs in this process, its clients in other threads.
"""

import asyncio
import json
import time
from functools import partial

import pytest
import pytest_asyncio

from tests.system.loop_live import live_on
from tests.system.loop_probe import least_of
from tests.system.services import execution_environment

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.alone]
BOUND = 0.05
"""Seconds of CPU."""
BODY = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def execution(tmp_path_factory):
    """An execution environment in a process of its own."""
    service = execution_environment(tmp_path_factory.mktemp("loop")).start()
    yield service
    assert service.stop() == 0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def live(execution, tmp_path_factory):
    """The orchestrator on this loop."""
    async with live_on(tmp_path_factory.mktemp("loop") / "store", execution.url) as live:
        yield live


def encoded(value):
    """Return JSON as a client sends it."""
    return json.dumps(value, separators=(",", ":")).encode()


def plan_of(*calls, **more):
    """Return a plan's run: each call a tool with its arguments."""
    steps = [
        {"name": f"s{n}", "tool": tool, "arguments": arguments}
        for n, (tool, arguments) in enumerate(calls)
    ]
    return encoded({"plan": {"steps": steps}, **more})


def edits(*items):
    return "edit_file", {"path": "absent", "edits": items}


WAITING = {"Prefer": "wait=100"}
EDIT = {"old_text": "x", "new_text": "y"}
RUNS = {
    "a thousand large steps": plan_of(*[edits({**EDIT, "old_text": "x" * 3900})] * 1000),
    "a thousand steps of many values": plan_of(*[edits(*[EDIT] * 30)] * 1000),
    "a thousand unknown tools": plan_of(*[("no", {"a": [1]})] * 1000),
    "many wrong values": plan_of(edits(*[1] * 98_000)),
    "many references": plan_of(
        ("read_file", {"path": "a"}), edits(*[{"$from": "s0/output"}] * 49_000)
    ),
    "many joins": plan_of(("read_file", {"path": {"$join": ["x"] * 98_000}})),
    "unknown fields": encoded({f"k{n}": 1 for n in range(98_000)}),
    "unknown fields of few bytes": encoded({f"k{n}": 1 for n in range(5_500)}),
    "wrong steps": encoded({"plan": {"steps": [{"a": 1}] * 40_000}}),
    "wrong steps of few bytes": encoded({"plan": {"steps": [1] * 30_000}}),
    "a goal of many commands": encoded({"goal": "; ".join(["read absent"] * 1000)}),
    "a goal of many steps": encoded({"goal": "; ".join(["list"] * 1000), "budget": {"steps": 50}}),
    "a goal of many paths": encoded({"goal": "delete " + ", ".join(["absent"] * 900)}),
    "a goal of no commands": encoded({"goal": "a " * 10_000}),
    "many objects": b"[" + b'{"a":{}},' * 33_000 + b"{}]",
    "many short objects": b"[" + b"{}," * 21_000 + b"{}]",
    "backslashes": b'{"goal":"' + rb"\\" * (BODY // 2 - 10) + b'"}',
    "escapes": b'{"goal":"' + rb"\u0041" * (BODY // 6 - 10) + b'"}',
    "brackets": b"[" * (BODY - 1),
    "brackets in a text": b'{"goal":"' + b"[" * (BODY - 20) + b'"}',
    "too many values": b"[" + b'"",' * 1_300_000 + b'""]',
    "long numbers": b"[" + b",".join([b"1" * 4000] * 1000) + b"]",
}


TEXT = "".join(f"{n:04} 'ä\\t\"\n" for n in range(13_000))
READ = "read_file", {"path": "text"}
SEARCH = "search_files", {"pattern": "'", "literal": True, "limit": 1000}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def full(live):
    """A session with a run of large outputs, and one of a large plan; return the three's paths."""
    session = await live.session()
    write = "write_file", {"path": "text", "content": TEXT, "mode": "upsert"}
    body = plan_of(write, *[READ] * 60, *[SEARCH] * 30)
    answer = await live.send("POST", f"{session}/runs", body, Prefer="wait=100")
    assert len(answer.content) > 12_000_000
    large = plan_of(*[edits({**EDIT, "old_text": "x" * 3900})] * 1000)
    planned = await live.send("POST", f"{session}/runs", large, Prefer="wait=100")
    places = (made.headers["Location"].removeprefix("/v1") for made in (answer, planned))
    return session, *places


async def test_probe_sees_what_holds_up_the_loop_and_nothing_else():
    """The control: a turn of 60 ms of CPU is seen; waiting, and what threads do, is not."""

    def burn():
        until = time.thread_time() + 0.06
        while time.thread_time() < until:
            pass

    async def held_up():
        burn()

    async def free():
        await asyncio.gather(asyncio.sleep(0.06), asyncio.to_thread(burn))

    assert await least_of(3, BOUND, held_up) >= 0.06
    assert await least_of(3, BOUND, free) < 0.03


@pytest.mark.parametrize("body", RUNS.values(), ids=RUNS)
async def test_run_that_is_asked_for_does_not_hold_up_the_loop(live, body):
    """Whatever the body is within its limits, and whatever is wrong with it."""
    assert len(body) <= BODY

    async def act():
        session = await live.session()
        answer = await live.send(
            "POST", f"{session}/runs", body, **WAITING, **{"Idempotency-Key": "a"}
        )
        seen.add(answer.status_code)
        if answer.is_success:
            ended = await live.send("GET", answer.headers["Location"].removeprefix("/v1"))
            seen.add(ended.status_code)

    seen = set()
    assert await least_of(3, BOUND, act) <= BOUND
    assert seen < {200, 202, 400, 413, 422}


@pytest.mark.parametrize("path", ["{1}", "{2}", "{0}/runs", "{2}/turns"])
async def test_reading_of_large_runs_does_not_hold_up_the_loop(live, full, path):
    """A run of 16 MiB of outputs, the turn of a large plan, and a list of such runs, which is small."""

    async def act():
        answer = await live.send("GET", path.format(*full))
        assert answer.status_code == 200
        assert path != "{0}/runs" or len(answer.content) < 100_000

    assert await least_of(3, BOUND, act) <= BOUND


async def test_list_of_large_sessions_does_not_hold_up_the_loop(live):
    """Each with as much metadata as a session may have: 200 of them come to 20 MB."""
    metadata = {f"{n:02}".ljust(64, "\x01"): "\x01" * 512 for n in range(32)}
    for _ in range(200):
        await live.send("POST", "/sessions", encoded({"metadata": metadata}))

    async def act(limit):
        answer = await live.send("GET", f"/sessions?limit={limit}")
        assert len(answer.content) > limit * 90_000

    for limit in (1, 200):
        assert await least_of(3, BOUND, partial(act, limit)) <= BOUND


async def test_following_of_large_runs_does_not_hold_up_the_loop(live, full):
    """The event of a plan holds the plan."""

    async def act():
        for run in full[1:]:
            run_id = run.rpartition("/")[2]
            answer = await live.send("GET", f"{full[0]}/events?run_id={run_id}")
            assert b"run.queued" in answer.content

    assert await least_of(3, BOUND, act) <= BOUND


async def test_run_of_large_outputs_does_not_hold_up_the_loop(live, full):
    """Its steps are stored, and its events told, while others are served."""

    async def act():
        session = full[0]
        answer = await live.send(
            "POST", f"{session}/runs", plan_of(*[READ, SEARCH] * 10), **WAITING
        )
        assert b'"status":"succeeded"' in answer.content

    assert await least_of(3, BOUND, act) <= BOUND


async def test_references_that_double_do_not_hold_up_the_loop(live, full):
    """A few bytes of plan that come to 300 MB are refused before they are made."""

    async def act():
        many = {"$join": [{"$from": "s0/output/content"}] * 2000}
        body = plan_of(READ, ("write_file", {"path": "b", "content": many}))
        answer = await live.send("POST", f"{full[0]}/runs", body, **WAITING)
        assert b'"code":"output_too_large"' in answer.content

    assert await least_of(3, BOUND, act) <= BOUND
