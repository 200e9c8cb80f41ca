"""The client: its requests, the errors it raises, what it repeats."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest

from agentic import AgenticClient, AgenticError, Budget, ClientError, Plan, SystemFault
from agentic.api.transport import ATTEMPTS
from common.error_table import ERRORS
from common.errors import error
from tests.agentic.fakes import NOW, RUN_ID, SESSION, Script, a_run, an_event, problem, stream

PLAN = Plan.model_validate({"steps": [{"name": "look", "tool": "list_directory"}]})


def good(model, status=200):
    """An answer that carries a model."""
    return httpx.Response(status, content=model.model_dump_json())


@pytest.mark.parametrize("code", sorted(ERRORS))
async def test_every_error_of_the_table_arrives_unharmed(connect, code):
    """Code, status, hint, outcome, retryable, request id, source, context: what a caller acts on."""
    sent = error(code, "what happened", hint="do this", outcome="executed", path="a", errno="EIO")
    client = await connect(Script(problem(sent)))
    with pytest.raises(AgenticError) as caught:
        await client.session(SESSION.id)
    assert type(caught.value) is type(sent)
    assert caught.value.problem("client", None) == sent.problem("orchestrator", "req_of_the_answer")


@pytest.mark.parametrize(
    ("failure", "code", "outcome"),
    [
        (httpx.ConnectError("refused"), "unavailable", "not_executed"),
        (httpx.ConnectTimeout("slow"), "unavailable", "not_executed"),
        (httpx.PoolTimeout("full"), "unavailable", "not_executed"),
        (httpx.ReadTimeout("silent"), "deadline_exceeded", "unknown"),
        (httpx.ReadError("reset"), "upstream_failed", "unknown"),
        (httpx.RemoteProtocolError("cut"), "upstream_failed", "unknown"),
    ],
)
async def test_a_lost_connection_tells_the_truth_about_the_outcome(connect, failure, code, outcome):
    """Only a request that cannot have arrived is 'not executed'."""
    client = await connect(Script(failure))
    with pytest.raises(SystemFault) as caught:
        await client.cancel_run(SESSION.id, RUN_ID)
    told = caught.value
    assert (told.code, told.outcome, told.source) == (code, outcome, "client")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<html>Bad gateway", headers={"x-request-id": "req_1"}),
        httpx.Response(500, json={"detail": "x"}, headers={"x-request-id": "req_1"}),
        httpx.Response(200, text="<html>Welcome", headers={"x-request-id": "req_1"}),
        httpx.Response(301, headers={"location": "/", "x-request-id": "req_1"}),
    ],
)
async def test_an_answer_that_is_not_the_orchestrators_is_upstream_failed(connect, answer):
    """A proxy's page must not end in a parser's traceback."""
    client = await connect(Script(answer))
    with pytest.raises(SystemFault) as caught:
        await client.planners()
    assert (caught.value.code, caught.value.source) == ("upstream_failed", "client")
    assert caught.value.request_id == "req_1"


async def test_a_run_can_be_waited_for_with_the_request_that_starts_it(connect):
    """The connection is given as much longer: an answer that is held back is not a lost one."""
    script = Script(good(a_run(), 202), good(a_run()))
    client = await connect(script, timeout=7.0)
    for wait in (None, 5):
        await client.start_run(SESSION.id, goal="list", wait=wait)
    told = [(one.headers.get("prefer"), one.extensions["timeout"]) for one in script.requests]
    assert [(header, timeout["read"]) for header, timeout in told] == [
        (None, 7.0),
        ("wait=5", 12.0),
    ]


async def test_an_answer_that_is_held_back_as_was_asked_is_waited_for(connect):
    """The client's own timeout is for what nobody asked to be late."""

    class Late(httpx.AsyncBaseTransport):
        requests = 0

        async def handle_async_request(self, _request):
            self.requests += 1
            await asyncio.sleep(0.3)
            return good(a_run())

    late = Late()
    client = await connect(late, timeout=0.1)
    assert (await client.start_run(SESSION.id, goal="list", wait=5)).id == RUN_ID
    assert late.requests == 1


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(connect):
    """The run may have been created: a second request must not start a second one."""
    script = Script(httpx.ReadError("lost"), httpx.ConnectError("down"), good(a_run(), 202))
    client = await connect(script)
    assert (await client.start_run(SESSION.id, goal="list")).id == RUN_ID
    keys = [request.headers["idempotency-key"] for request in script.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_two_requests_have_different_keys_and_a_callers_own_key_is_sent(connect):
    """A shared key would hand the second request the first one's answer."""
    script = Script(good(SESSION, 201))
    client = await connect(script)
    await client.create_session()
    await client.create_session()
    await client.create_session(idempotency_key="mine")
    first, second, own = (request.headers["idempotency-key"] for request in script.requests)
    assert first != second
    assert own == "mine"


async def test_a_client_stops_asking_again(connect):
    """An orchestrator that is gone must not hold a caller for ever."""
    script = Script(httpx.ConnectError("down"))
    client = await connect(script)
    with pytest.raises(SystemFault, match="cannot be reached"):
        await client.create_session()
    assert len(script.requests) == ATTEMPTS


async def test_what_the_orchestrator_refuses_is_not_asked_again(connect):
    """It has answered; asking again would only change the answer's cause."""
    script = Script(problem(error("internal", "broken")))
    client = await connect(script)
    with pytest.raises(SystemFault, match="broken"):
        await client.start_run(SESSION.id, plan=PLAN)
    assert len(script.requests) == 1


async def test_a_request_that_cannot_be_right_is_refused_before_it_is_sent(connect):
    """With the field that is wrong, like the service's own refusal."""
    script = Script(good(SESSION))
    client = await connect(script)
    with pytest.raises(ClientError) as caught:
        await client.create_session("../x")
    assert (caught.value.code, caught.value.source) == ("invalid_request", "client")
    assert caught.value.context.fields[0].field == "workspace"
    with pytest.raises(ClientError, match="not valid"):
        await client.start_run(SESSION.id)
    assert script.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "", "nonsense", "localhost:8000", "//h", "ftp://h", "http://", "http://:80", "http://.",
        "http://h:99999", "http://h:0", "http://h:-1", "http://h:x", "http://[::1", "http://[zz]",
        "http://ho st", "http://h%20", "http://h\n", "http://a..b", "http://-h", "http://xn--a",
        "http://\u2603\u0300", "http://h/\udcff", "http://h?a=1", "http://h#a",
        pytest.param("http://" + 64 * "a", id="long label"),
        pytest.param("http://" + 130 * "a.", id="long name"),
    ],
)  # fmt: skip
def test_a_base_url_that_cannot_be_one_is_refused(url):
    """A misspelt AGENTIC_URL is the caller's to correct, not a broken connection or a traceback."""
    with pytest.raises(ClientError) as caught:
        AgenticClient(url)
    assert (caught.value.code, caught.value.outcome) == ("invalid_request", "not_executed")


@pytest.mark.parametrize(
    "url",
    ["http://h", "HTTPS://H:443/", "http://[::1]:8000", "http://127.0.0.1", "http://a_b.c-d.:1",
     "https://käse.example", "http://h/below/it", "http://u:p@h"],
)  # fmt: skip
async def test_a_base_url_that_can_be_one_is_taken(url):
    """Whatever it leads to."""
    async with AgenticClient(url):
        pass


@pytest.mark.parametrize("end", ["", "/", "//", "/below", "/below//"])
async def test_slashes_at_the_end_of_a_base_url_mean_nothing(end):
    """Two of them led to routes that there are not; what is remembered of the server was the same."""
    script = Script(httpx.Response(200, json={"status": "ready"}))
    async with AgenticClient(f"http://h{end}", transport=script) as client:
        await client.ready()
    assert script.requests[0].url.path == f"{end.rstrip('/')}/health/ready"


async def test_a_new_services_extra_fields_are_ignored(connect):
    """Rolling upgrades: the service may be newer than its clients."""
    body = {**SESSION.model_dump(mode="json"), "colour": "blue"}
    client = await connect(Script(httpx.Response(200, json=body)))
    assert await client.session(SESSION.id) == SESSION


async def test_a_request_carries_the_key_and_the_agent(connect):
    """The key says who asks, the agent from where."""
    script = Script(httpx.Response(200, json={"status": "ready"}))
    client = await connect(script, api_key="secret")
    await client.ready()
    [request] = script.requests
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["user-agent"].startswith("agentic-python/")
    assert request.url.path == "/health/ready"


async def test_each_method_asks_its_route(connect):
    """The routes of the contract, the parameters included, and no field that was not given."""
    page = httpx.Response(200, json={"items": [], "next_cursor": "c"})
    script = Script(
        good(SESSION, 201), page, page, good(a_run(), 202), good(a_run(), 202),
        httpx.Response(204), httpx.Response(200, json=[]), httpx.Response(200, json=[]),
    )  # fmt: skip
    client = await connect(script)
    await client.create_session("demo", metadata={"a": "b"}, ttl=timedelta(seconds=60))
    assert (await client.sessions(limit=2, cursor="x")).next_cursor == "c"
    await client.runs(SESSION.id)
    await client.start_run(SESSION.id, plan=PLAN, budget=Budget(steps=3), on_busy="enqueue")
    await client.cancel_run(SESSION.id, RUN_ID)
    await client.delete_session(SESSION.id)
    assert (await client.tools(), await client.planners()) == ([], [])
    session = f"/v1/sessions/{SESSION.id}"
    assert [f"{request.method} {request.url.raw_path.decode()}" for request in script.requests] == [
        "POST /v1/sessions",
        "GET /v1/sessions?limit=2&cursor=x",
        f"GET {session}/runs?limit=50",
        f"POST {session}/runs",
        f"POST {session}/runs/{RUN_ID}/cancel",
        f"DELETE {session}",
        "GET /v1/tools",
        "GET /v1/planners",
    ]
    created, started = (json.loads(script.requests[n].content) for n in (0, 3))
    assert created == {"workspace": "demo", "metadata": {"a": "b"}, "ttl": 60.0}
    assert "goal" not in started
    assert (started["budget"]["steps"], started["on_busy"]) == (3, "enqueue")


async def test_a_run_says_what_a_model_has_to_keep_to(connect):
    """Each by its name in the contract."""
    script = Script(good(a_run(), 202))
    client = await connect(script)
    schema = {"type": "object", "default": None}
    facts = {"model": "openai:m", "instructions": "Be brief.", "tools": ["read_file"]}
    budget = Budget(tokens=9, cost=0.5)
    await client.start_run(SESSION.id, goal="x", output_schema=schema, budget=budget, **facts)
    sent = json.loads(script.requests[0].content)
    assert sent | facts == sent
    assert (sent["output_schema"], sent["budget"]["tokens"], sent["budget"]["cost"]) == (
        schema,
        9,
        0.5,
    )


async def test_a_message_is_sent_once_however_often_it_is_asked_for(connect):
    """Its answer was lost: a model must not be told twice."""
    script = Script(httpx.ReadError("lost"), good(a_run(status="queued"), 202))
    client = await connect(script)
    assert (await client.send(SESSION.id, RUN_ID, "That one.")).status == "queued"
    first, second = script.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert second.url.path == f"/v1/sessions/{SESSION.id}/runs/{RUN_ID}/messages"
    assert json.loads(second.content) == {"text": "That one."}
    await client.send(SESSION.id, RUN_ID, "x", "mine")
    assert script.requests[2].headers["idempotency-key"] == "mine"


async def test_turns_are_read(connect):
    """What was decided, with what it cost."""
    usage = {"input_tokens": 5, "output_tokens": 2, "cost": 0.1}
    turn = {"t": 1, "answer": "Done.", "usage": usage, "decided_at": NOW.isoformat()}
    script = Script(httpx.Response(200, json=[turn]))
    [read] = await (await connect(script)).turns(SESSION.id, RUN_ID)
    assert (read.t, read.answer, read.usage.cost) == (1, "Done.", 0.1)
    assert script.requests[0].url.path == f"/v1/sessions/{SESSION.id}/runs/{RUN_ID}/turns"


async def test_wait_returns_the_run_that_has_ended(connect):
    """Start, wait, read: the shortest use there is."""
    script = Script(stream(an_event(1, "run.succeeded")), good(a_run()))
    client = await connect(script)
    run = await client.wait(SESSION.id, RUN_ID)
    assert (run.status, run.created_at) == ("succeeded", NOW)


@pytest.mark.parametrize(("url", "uses_proxy"), [("http://127.0.0.1:1", False), ("http://[::1]:1", False), ("http://localhost:1", False), ("http://example.test", True)])  # fmt: skip
async def test_no_proxy_stands_between_a_client_and_its_own_machine(monkeypatch, url, uses_proxy):
    """With HTTP_PROXY set, as many companies have it, a local stack was out of reach."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with AgenticClient(url) as client:
        assert any(client._http._mounts.values()) is uses_proxy
