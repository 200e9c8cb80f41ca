"""AG-UI clients of the real services: a plan, an approval, the same POST again, other users, a model."""

import asyncio
import hashlib

import httpx
import pytest

from common.ids import new_id
from tests.orchestrator.agui.protocol import (
    asked,
    interrupt_of,
    of,
    planned,
    post,
    read,
    resumed,
    statuses,
    texts,
    tool_calls,
)
from tests.system.models.answers import Answer, calls


@pytest.fixture
def thread():
    """A thread that no other test has, which is a workspace's name as well."""
    return new_id("run").replace("_", "-")


def write(path, content="1\n"):
    """Return a call that writes a file."""
    return "write_file", {"path": path, "content": content}


async def test_agui_tells_a_plan_call_by_call_to_its_result(shared, thread):
    """Arguments that are too long for an event, outputs and problems included."""
    long = "x" * 5000
    steps = [write("a", long), ("read_file", {"path": "a"}), ("read_file", {"path": "none"})]
    events = await post(shared.main.url, planned(*steps, thread=thread), thread)
    wrote, *reads = tool_calls(events)
    missed, seen = sorted(reads, key=lambda call: call[2]["status"])  # reads go side by side
    assert wrote[:2] == ("write_file", {"path": "a", "content": long})
    assert wrote[2]["receipts"][0]["path"] == "a"
    assert seen[2]["output"]["content"] == long
    assert (missed[2]["status"], missed[2]["error"]["code"]) == ("failed", "path_not_found")
    last = events[-1]
    assert (last.type, last.code) == ("RUN_ERROR", "path_not_found")
    assert last.raw_event["hint"] in last.message
    assert statuses(events) == ["queued", "running", "failed"]


async def test_agui_post_again_streams_the_same_run_again(shared, client, thread):
    """A client that lost its connection sees all of it, and nothing is done twice."""
    body = asked("create file a.txt with 'x', then read a.txt", thread)
    first, again = [await post(shared.main.url, body, thread) for _ in range(2)]
    assert again == first
    assert first[-1].outcome.type == "success"
    assert list(texts(first).values()) == [first[-1].result["answer"]]
    session_id = of(first, "STATE_SNAPSHOT")[0].snapshot["session_id"]
    assert len((await client.runs(session_id)).items) == 1
    other = await post(shared.main.url, asked("list files", thread), thread)
    assert other["code"] == "idempotency_conflict"


async def test_agui_run_asks_and_goes_on_with_the_answer(shared, thread):
    """The interrupt shows the diff; the answer comes under another run id, and may come twice."""
    url, body = shared.main.url, planned(write("a"), write("b"), thread=thread, approval="writes")
    events = await post(url, body, thread)
    interrupt = interrupt_of(events)
    assert interrupt.reason == "confirmation"
    shown = interrupt.metadata["agentic"]
    assert [call["state"] for call in shown["calls"]] == ["asks", "asks"]
    assert "+1" in shown["calls"][0]["preview"]["diff"]
    assert tool_calls(events) == []
    assert await post(url, body, thread) == events
    busy = await post(url, asked(thread=thread, run="other"), thread)
    assert busy["code"] == "session_busy"

    some = resumed(interrupt, {"approved": True, "steps": [1]}, thread=thread, run="some")
    left = interrupt_of(await post(url, some, thread))
    assert [call["state"] for call in left.metadata["agentic"]["calls"]] == ["approved", "asks"]
    late = resumed(interrupt, {"approved": False}, thread=thread, run="late")
    assert (await post(url, late, thread))["code"] == "precondition_failed"
    rest = resumed(left, True, thread=thread, run="rest")
    first, again = [await post(url, rest, thread) for _ in range(2)]
    assert first == again
    assert [arguments["path"] for _, arguments, _ in tool_calls(first)] == ["a", "b"]
    assert first[-1].outcome.type == "success"
    whole = await post(url, body, thread)
    assert tool_calls(whole) == tool_calls(first)
    assert whole[-1].outcome.type == "success"


async def test_agui_rejection_is_told_with_its_reason(shared, thread):
    """And nothing is done."""
    body = planned(write("a"), thread=thread, approval="writes")
    interrupt = interrupt_of(await post(shared.main.url, body, thread))
    no = {"approved": False, "reason": "not now"}
    events = await post(shared.main.url, resumed(interrupt, no, thread=thread), thread)
    [(_, _, result)] = tool_calls(events)
    assert result["error"]["code"] == "rejected"
    assert "not now" in result["error"]["detail"]
    assert events[-1].code == "rejected"


async def test_agui_interrupt_that_is_abandoned_cancels_its_run(shared, thread):
    """Nobody is going to answer; the thread is free again."""
    body = planned(write("a"), thread=thread, approval="writes")
    interrupt = interrupt_of(await post(shared.main.url, body, thread))
    over = resumed(interrupt, thread=thread, status="cancelled")
    first, again = [await post(shared.main.url, over, thread) for _ in range(2)]
    assert first == again
    assert (first[-1].type, first[-1].outcome.type) == ("RUN_FINISHED", "cancelled")
    more = await post(shared.main.url, asked(thread=thread, run="more"), thread)
    assert more[-1].outcome.type == "success"


async def test_agui_client_that_leaves_does_not_end_its_run(shared, client, thread):
    """A run is durable: the same POST finds it, ended."""
    body = planned(write("a"), thread=thread)
    address = f"{shared.main.url}/agui/{thread}"
    async with httpx.AsyncClient() as http, http.stream("POST", address, json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                break
    assert (await post(shared.main.url, body, thread))[-1].outcome.type == "success"


async def test_agui_thread_of_another_user_is_another_one(services):
    """Of the same name and workspace: neither sees, or answers for, the other."""
    keys = {user: f"key-of-{user}" for user in ("ann", "bob")}
    digests = [f"{hashlib.sha256(key.encode()).hexdigest()}:{user}" for user, key in keys.items()]
    url = services(orchestrator_env={"ORCHESTRATOR_API_KEYS": ",".join(digests)}).main.url
    body = planned(write("a"), approval="writes")
    asking = [post(url, body, key=key) for key in keys.values()]
    anns, bobs = [interrupt_of(events) for events in await asyncio.gather(*asking)]
    assert anns.id.split(":")[0] != bobs.id.split(":")[0]
    foreign = await post(url, resumed(anns, True), key=keys["bob"])
    assert (foreign["status"], foreign["code"]) == (404, "session_not_found")
    assert (await post(url, body))["code"] == "unauthenticated"
    mine = await post(url, resumed(anns, True), key=keys["ann"])
    assert mine[-1].outcome.type == "success"


async def test_agui_stream_takes_a_users_place_and_ends_with_the_service(services, thread):
    """Nobody executes the run: its stream stays open until the service stops, and says why it ends."""
    env = {"ORCHESTRATOR_ROLE": "api", "ORCHESTRATOR_MAX_STREAMS": "1"}
    main = services(orchestrator_env=env).main
    address, body = f"{main.url}/agui/{thread}", planned(write("a"), thread=thread)
    async with (
        httpx.AsyncClient(timeout=60) as http,
        http.stream("POST", address, json=body) as answer,
    ):
        lines = answer.aiter_lines()
        while not (await anext(lines)).startswith("data: "):
            pass
        other = await post(main.url, body, thread)
        assert (other["status"], other["code"]) == (429, "rate_limited")
        stopped = asyncio.create_task(asyncio.to_thread(main.stop))
        [*_, last] = read("\n".join([line async for line in lines]))
        assert await stopped == 0
    assert (last.type, last.code) == ("RUN_ERROR", "unavailable")


async def test_agui_tells_what_a_model_says_does_and_asks(stack, thread):
    """Each thing once: what is streamed is not said again at the end."""
    goal = f"What is in a? ({thread})"
    answers = [
        calls(write("a"), text="I look."),
        calls(("ask_user", {"question": "Which a?"})),
        Answer(text="It is the second one."),
    ]
    stack.scripts.put(goal, answers)
    events = await post(stack.main.url, asked(goal, thread), thread)
    interrupt = interrupt_of(events)
    assert (interrupt.reason, interrupt.message) == ("input_required", "Which a?")
    assert list(texts(events).values()) == ["I look."]
    assert [tool for tool, _, _ in tool_calls(events)] == ["write_file"]
    assert events[-1].usage[0].output_tokens > 0

    answer = resumed(interrupt, "the second", thread=thread)
    ended = await post(stack.main.url, answer, thread)
    again = await post(stack.main.url, answer, thread)
    assert (texts(again), again[-1]) == (texts(ended), ended[-1])
    assert list(texts(ended).values()) == ["It is the second one."]
    assert ended[-1].result["answer"] == "It is the second one."
    late = resumed(interrupt, "the first", thread=thread, run="late")
    assert (await post(stack.main.url, late, thread))["code"] == "idempotency_conflict"
