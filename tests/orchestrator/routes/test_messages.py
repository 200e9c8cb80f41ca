"""Messages to runs over HTTP: who hears them, and what is refused."""

from contextlib import asynccontextmanager

import httpx
import pytest

from common.ids import new_id
from tests.orchestrator.builders import DONE, document, event_types


@asynccontextmanager
async def clients(live):
    """Yield a client of the routes with a model; nobody executes runs."""
    service = await live(models=("openai:m",))
    async with httpx.AsyncClient(base_url=f"http://{service.base}") as http:
        yield http


async def started(store, session, planner="llm"):
    """Start a run and acquire it; return its lease."""
    opened = await session("local")
    run = document(opened.id, planner=planner)
    await store.runs.create(run, "reject")
    return await store.leases.acquire(opened.id, run.id, "w")


async def send(http, lease, text="Be quick", **headers):
    """Send a message; return the answer."""
    url = f"/v1/sessions/{lease.session.id}/runs/{lease.run.id}/messages"
    return await http.post(url, json={"text": text}, headers=headers)


async def test_message_reaches_a_run_that_asks_a_model(live, store, session):
    """It is told at its next decision; whoever follows sees it at once."""
    lease = await started(store, session)
    async with clients(live) as http:
        answer = await send(http, lease)
    assert (answer.status_code, answer.json()["id"]) == (202, lease.run.id)
    [message] = await store.conversation.messages(lease)
    assert (message.text, message.is_answer) == ("Be quick", False)
    assert (await event_types(store, lease.session.id))[-1] == "message.received"


async def test_message_that_is_sent_again_under_its_key_is_one(live, store, session):
    """A client whose answer was lost asks again; another text under that key is a mistake."""
    lease = await started(store, session)
    once = {"Idempotency-Key": "k"}
    async with clients(live) as http:
        answers = [await send(http, lease, text, **once) for text in ("a", "a", "b")]
    assert [answer.status_code for answer in answers] == [202, 202, 409]
    assert answers[2].json()["code"] == "idempotency_conflict"
    assert [message.text for message in await store.conversation.messages(lease)] == ["a"]


@pytest.mark.parametrize("planner", ["rules", "plan"])
async def test_message_to_a_run_that_reads_none_is_refused(live, store, session, planner):
    """It would lie there unread, and its sender would wait for an effect."""
    lease = await started(store, session, planner)
    async with clients(live) as http:
        answer = await send(http, lease)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert planner in answer.json()["detail"]
    assert await store.conversation.messages(lease) == []


@pytest.mark.parametrize("planner", ["rules", "llm"])
async def test_message_answers_the_question_of_any_run(live, store, session, redis, planner):
    """Whoever asks hears the answer."""
    lease = await started(store, session, planner)
    key = f"test:{{{lease.session.id}}}:run:{lease.run.id}"
    await redis.hset(key, "status", "awaiting_input")
    async with clients(live) as http:
        answer = await send(http, lease, "The second one")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


@pytest.mark.parametrize("planner", ["rules", "llm"])
async def test_message_to_a_run_that_has_ended_is_refused(live, store, session, planner):
    """Another run of its session goes on from there."""
    lease = await started(store, session, planner)
    await store.progress.finish(lease, DONE)
    async with clients(live) as http:
        answer = await send(http, lease)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert "has ended" in answer.json()["detail"]


async def test_message_to_no_run_of_the_users_is_not_found(live, store, session):
    """Neither another session's run nor another user's session is told apart from none."""
    lease, other, foreign = (
        await started(store, session),
        await session("local"),
        await session("bob"),
    )
    ids = [
        (lease.session.id, new_id("run"), "run_not_found"),
        (other.id, lease.run.id, "run_not_found"),
        (foreign.id, lease.run.id, "session_not_found"),
    ]
    async with clients(live) as http:
        for session_id, run_id, code in ids:
            url = f"/v1/sessions/{session_id}/runs/{run_id}/messages"
            answer = await http.post(url, json={"text": "x"})
            assert (answer.status_code, answer.json()["code"]) == (404, code)


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x", "more": 1}])
async def test_message_that_is_none_is_refused(live, store, session, body):
    """Strictly, as every body is."""
    lease = await started(store, session)
    url = f"/v1/sessions/{lease.session.id}/runs/{lease.run.id}/messages"
    async with clients(live) as http:
        answer = await http.post(url, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
