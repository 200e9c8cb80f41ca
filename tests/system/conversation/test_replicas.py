"""Several orchestrators on one store, with a model in the shape of Anthropic that has a price."""

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from agentic import AgenticClient
from common.runs import Budget
from orchestrator.store.server.embedded import embedded_server
from tests.orchestrator.fakes import until
from tests.system.aging import age, is_young
from tests.system.conversation.talking import Script, Talk, refused, started
from tests.system.models.answers import Answer, calls
from tests.system.models.fake import running
from tests.system.services import execution_environment, orchestrator

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRICED, UNPRICED = "anthropic:claude-haiku-4-5", "anthropic:nobody-knows"
QUESTION = "Which of the two?"
ASKING = calls(
    ("write_file", {"path": "a.txt", "content": "x"}),
    ("ask_user", {"question": QUESTION}),
    text="I write one, and ask.",
)
TTL = timedelta(seconds=60)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(tmp_path_factory):
    """One that answers clients, and two that work, of which the first one is started."""
    script, tmp_path = Script(), tmp_path_factory.mktemp("replicas")
    async with (
        embedded_server(tmp_path / "redis") as server,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        with running(program=script) as fake:
            execution = execution_environment(tmp_path)
            env = {
                "ORCHESTRATOR_REDIS_URL": server.url,
                "ORCHESTRATOR_USER_CONCURRENCY": "1",
                "ORCHESTRATOR_MODEL": PRICED,
                "ORCHESTRATOR_MODELS": UNPRICED,
                "ORCHESTRATOR_MODEL_BASE_URL": fake.anthropic_url,
            }
            api, one, two = (
                orchestrator(tmp_path / name, execution, ORCHESTRATOR_ROLE=role, **env)
                for name, role in (("api", "api"), ("one", "worker"), ("two", "worker"))
            )
            with started(execution, api, one):
                yield SimpleNamespace(
                    api=api, one=one, two=two, redis=redis, fake=fake, script=script
                )
            if two.process is not None:
                two.stop()


async def waiting(talk, run):
    """Return a run when it waits for a person."""
    async for event in talk.client.events(talk.session.id, run.id):
        if event.type == "run.awaiting_input":
            return await talk.read(run)
    raise AssertionError("it has ended")


async def owned(redis):
    """Return the leases that there are, and the places that are taken under the user's cap."""
    indexes = ("agentic:running", "agentic:user:{local}:running")
    return [member for index in indexes for member in await redis.zrange(index, 0, -1)]


async def test_a_question_waits_for_nothing_and_is_answered_long_after_on_another_replica(stack):
    """It holds no worker and no place; its session outlives its time to live; all that was done stays."""
    async with AgenticClient(stack.api.url) as client:
        session = await client.create_session(ttl=TTL)
        talk = Talk(client, stack.fake, stack.script, session)
        stack.script.clear()
        talk.answer(ASKING)
        run = await waiting(talk, await talk.start("write one of them"))
        assert (run.status, run.question) == ("awaiting_input", QUESTION)
        assert [(step.tool, step.status) for step in run.steps] == [("write_file", "succeeded")]

        async def is_free():
            return not await owned(stack.redis)

        await until(is_free)
        await another_run_goes_on(stack, client)

        async def is_young_again():
            return await is_young(stack.redis, session.id, TTL)

        for _ in range(2):  # longer than the time to live
            await age(stack.redis, session.id)
            await until(is_young_again)
        await replaced(stack)
        talk.answer(Answer(text="The second it is."))
        assert (await talk.send(run, "the second")).status != "awaiting_input"
        run = await talk.ended(run)
        assert (run.status, run.result.answer) == ("succeeded", "The second it is.")
        assert [step.status for step in run.steps] == ["succeeded"]
    [_, after] = [body for body in talk.bodies if "one of them" in json.dumps(body)]
    assert outputs(after)[1:] == ["the second"]


async def another_run_goes_on(stack, client):
    """The user's only place is free."""
    other = Talk(client, stack.fake, stack.script, await client.create_session())
    other.answer(Answer(text="Here."))
    assert (await other.run("are you there?")).result.answer == "Here."


async def replaced(stack):
    """End the worker that has asked, and have another in its place."""
    assert await asyncio.to_thread(stack.one.stop) == 0
    await asyncio.to_thread(stack.two.start)


def outputs(body):
    """Return the tool outputs of a request, in order."""
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    return [text_of(block["content"]) for block in blocks if block["type"] == "tool_result"]


def text_of(content):
    """Return the text of a tool result."""
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


async def test_a_bound_on_the_cost_is_known_on_a_replica_without_workers_and_is_kept(stack):
    """It refuses what cannot be kept, takes what can, and the run ends below its bound."""
    async with AgenticClient(stack.api.url) as client:
        talk = Talk(client, stack.fake, stack.script, await client.create_session())
        refusal = await refused(talk.start("go", model=UNPRICED, budget=Budget(cost=1)))
        assert refusal.code == "invalid_request"
        assert "price" in refusal.detail
        talk.script.then = lambda asked: calls(
            ("list_directory", {"path": "./" * (len(asked.results) + 1)})
        )
        run = await talk.run("look", budget=Budget(cost=0.03))
    most = [body["max_tokens"] for body in talk.bodies]
    assert (run.status, run.error.code) == ("failed", "budget_exceeded")
    assert 0 < run.usage.cost <= 0.03
    assert len(most) > 1
    assert most[-1] < most[0]
