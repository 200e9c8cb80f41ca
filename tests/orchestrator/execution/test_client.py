"""The execution client never lies about the outcome."""

import asyncio
import json
import ssl

import pytest
from pydantic import SecretStr

from common.context import ExecutionContext
from common.errors import AgenticError, ClientError, SystemFault, ToolError
from common.tools import BatchResults, ToolCall, ToolResult
from orchestrator.execution.client import open_client

CALL = ToolCall(
    id="run_1:1:1",
    fence=1,
    tool="read_file",
    arguments={},
    context=ExecutionContext.model_validate(
        {"request_id": "req_1", "user_id": "ann", "request_source": {"kind": "internal"},
         "allowed_paths_root": "ann/w", "timeout": 0.2}
    ),
)  # fmt: skip
RESULT = ToolResult(id="run_1:1:1", tool="read_file", output={"n": 1}, receipts=[], duration_ms=1)
PROBLEM = ToolError("path_not_found", "no x", path="x", errno="ENOENT").problem(
    "execution_environment", "req_1"
)


def answer(status, body, kind="application/json"):
    """Return an HTTP answer as bytes."""
    data = body.encode()
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


@pytest.fixture
async def upstream():
    """A server that answers each request with the given bytes, then hangs up if they are short."""
    served, seen, over = [], [], asyncio.Event()

    async def start(reply):
        async def handle(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head.decode())
            if reply is None:
                await over.wait()
            writer.write(reply or b"")
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        served.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    start.seen = seen
    yield start
    over.set()
    for server in served:
        server.close()
        await server.wait_closed()


async def outcome_of(url):
    """Return the error that a call ends with."""
    async with open_client(url, SecretStr("t")) as client:
        with pytest.raises(AgenticError) as caught:
            await client.run(CALL)
    error = caught.value
    return error.code, error.outcome, error.retryable


async def test_client_sends_the_secret_and_the_ids(upstream):
    """The other service logs and audits them."""
    url = await upstream(answer(200, RESULT.model_dump_json()))
    async with open_client(url, SecretStr("secret")) as client:
        assert await client.run(CALL, "00-" + "a" * 32 + "-" + "b" * 16 + "-01") == RESULT
    head = upstream.seen[0].lower()
    for line in ("authorization: bearer secret", "x-request-id: req_1", "traceparent: 00-aaa"):
        assert line in head


async def test_client_reads_no_certificates_that_it_does_not_use(monkeypatch):
    """All of a machine's, twice, on the event loop: a tenth of the start."""
    monkeypatch.setattr(ssl, "create_default_context", None)
    async with open_client("http://127.0.0.1:1", SecretStr("s3cret")):
        pass


async def test_client_reports_a_refused_connection_as_not_executed():
    """Nothing was sent."""
    assert await outcome_of("http://127.0.0.1:1") == ("unavailable", "not_executed", True)


async def test_client_reports_unknown_when_the_server_dies_after_reading(upstream):
    """The transport raises the same exception as for a refused connection."""
    assert await outcome_of(await upstream(b"")) == ("upstream_failed", "unknown", None)


async def test_client_reports_unknown_when_the_answer_is_cut_short(upstream):
    """It was executed, but nobody can say what came of it."""
    whole = answer(200, RESULT.model_dump_json())
    assert await outcome_of(await upstream(whole[:-5])) == ("upstream_failed", "unknown", None)


async def test_client_reports_silence_as_a_deadline_with_an_unknown_outcome(upstream):
    """After the call's own timeout and a margin for its truthful 504."""
    assert await outcome_of(await upstream(None)) == ("deadline_exceeded", "unknown", None)


@pytest.mark.parametrize(
    "reply",
    [
        answer(502, "<html>Bad Gateway</html>", "text/html"),
        answer(200, "{}"),
        answer(302, ""),
    ],
)
async def test_client_reports_an_answer_of_unknown_form_as_upstream_failure(upstream, reply):
    """A proxy stands in between, or another service."""
    assert await outcome_of(await upstream(reply)) == ("upstream_failed", "unknown", None)


async def test_client_raises_the_services_own_error_as_it_was(upstream):
    """Rebuilt by code, nothing lost."""
    url = await upstream(answer(404, PROBLEM.model_dump_json(), "application/problem+json"))
    async with open_client(url, SecretStr("t")) as client:
        with pytest.raises(ToolError) as caught:
            await client.run(CALL)
    assert caught.value.problem("orchestrator", None) == PROBLEM


async def test_client_returns_what_each_call_of_a_batch_ended_with(upstream):
    """In order: an error is the one that the call by itself would raise, and takes no other along."""
    results = BatchResults(results=[RESULT, PROBLEM, RESULT]).model_dump_json()
    url = await upstream(answer(200, results))
    longer = CALL.model_copy(update={"context": CALL.context.model_copy(update={"timeout": 9.0})})
    async with open_client(url, SecretStr("t")) as client:
        first, failed, last = await client.call_many([CALL, CALL, longer], "00-aaa")
    assert (first, last) == (RESULT, RESULT)
    assert isinstance(failed, ToolError)
    assert failed.problem("orchestrator", None) == PROBLEM
    [head] = upstream.seen
    assert head.startswith("POST /v1/tool-calls:batch ")
    assert {"x-request-id: req_1", "traceparent: 00-aaa"} <= set(head.lower().splitlines())


@pytest.mark.parametrize("results", [[], [RESULT, RESULT], [{"id": "?"}]])
async def test_client_takes_no_answer_to_a_batch_that_is_not_one_for_each_call(upstream, results):
    """What became of which nobody could tell."""
    told = json.dumps(
        {"results": [one if isinstance(one, dict) else one.model_dump() for one in results]}
    )
    async with open_client(await upstream(answer(200, told)), SecretStr("t")) as client:
        with pytest.raises(SystemFault) as caught:
            await client.call_many([CALL])
    assert (caught.value.code, caught.value.outcome) == ("upstream_failed", "unknown")


async def test_client_raises_what_a_batch_is_refused_for(upstream):
    """There is nothing to tell of its calls."""
    refused = ClientError("request_too_large", "too many", limit=1, actual=2)
    problem = refused.problem("execution_environment", "req_1").model_dump_json()
    url = await upstream(answer(413, problem, "application/problem+json"))
    async with open_client(url, SecretStr("t")) as client:
        with pytest.raises(ClientError) as caught:
            await client.call_many([CALL, CALL])
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", 1)


async def test_client_reports_tools_that_it_cannot_read_as_upstream_failure(upstream):
    """Another service listens there."""
    async with open_client(await upstream(answer(200, "{}")), SecretStr("t")) as client:
        with pytest.raises(AgenticError, match="upstream_failed"):
            await client.tools()


async def test_client_settles_with_the_fence_and_the_context(upstream):
    """Without the fence and the session a stale owner's would count as much as the owner's."""
    agent = CALL.context.request_source.model_copy(update={"agent": "ä\n☃"})
    context = CALL.context.model_copy(update={"request_source": agent})
    url = await upstream(answer(200, '{"id": "run_1:1:1", "outcome": "not_executed"}'))
    async with open_client(url, SecretStr("t")) as client:
        settled = await client.settle(CALL.model_copy(update={"context": context}))
    assert settled.outcome == "not_executed"
    [head] = upstream.seen
    assert head.startswith("DELETE /v1/tool-calls/run_1:1:1 ")
    lines = [line.partition(": ") for line in head.splitlines()]
    sent = {name.lower(): value for name, _, value in lines}
    assert (sent["x-fence"], sent["x-request-id"]) == ("1", "req_1")
    assert ExecutionContext.model_validate_json(sent["x-execution-context"]) == context
