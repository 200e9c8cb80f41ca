"""Transfers: what is passed on, and how they end when a side does."""

import asyncio
import hashlib
from datetime import timedelta

import pytest
from pydantic import SecretStr

from common.context import ExecutionContext
from common.errors import AgenticError, ClientError, ToolError
from orchestrator.execution.client import open_http
from orchestrator.execution.transfers import Transfer, Transfers, path_to
from tests.system.services import free_port

SESSION = "ses_" + "0" * 32
CONTEXT = ExecutionContext.model_validate(
    {"request_id": "req_1", "session_id": SESSION, "user_id": "ann",
     "request_source": {"kind": "rest"}, "allowed_paths_root": "ann/w", "timeout": 5}
)  # fmt: skip
PROBLEM = ToolError("quota_exceeded", "full").problem("execution_environment", "req_1")
REFUSAL = PROBLEM.model_dump_json().encode()
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "e"\r\nServer: s\r\n\r\nbody'
FULL = b"HTTP/1.1 507 X\r\nContent-Length: %d\r\n\r\n%b" % (len(REFUSAL), REFUSAL)


class FakeUpstream:
    """Answers each request once its head has come, and keeps what comes until the connection ends."""

    def __init__(self, answer, *, hangs_up=False):
        self._answer = answer
        self._hangs_up = hangs_up
        self.heads = []
        self.came = b""
        self.ended = asyncio.Event()

    async def __call__(self, reader, writer):
        """Serve one connection."""
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self._answer)
        try:
            while not self._hangs_up and (piece := await reader.read(65536)):
                self.came += piece
        except ConnectionError:
            pass
        self.ended.set()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def serve():
    """Serve a fake upstream; return transfers to it."""
    servers, opened = [], []

    async def start(upstream, seconds=20):
        server = await asyncio.start_server(upstream, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        connections = open_http(f"http://127.0.0.1:{port}", SecretStr("secret"), 10)
        opened.append(connections)
        return Transfers(await connections.__aenter__(), timedelta(seconds=seconds))

    yield start
    for connections in opened:
        await connections.__aexit__(None, None, None)
    for server in servers:
        server.close()
        await server.wait_closed()


def asked(method="GET", path="f", **more):
    """Return a request for a file of the workspace."""
    return Transfer(method, path_to("files", "ann/w", path), CONTEXT, **more)


async def failure_of(work):
    """Return the error that something ends with."""
    with pytest.raises(AgenticError) as caught:
        await work
    return caught.value


async def test_a_transfer_tells_on_whose_behalf_it_is_and_passes_on_what_means_something(serve):
    """The client's own secret and cookies are none of the other service's business."""
    upstream = FakeUpstream(GOOD)
    transfers = await serve(upstream)
    headers = ((b"range", b"bytes=1-"), (b"authorization", b"Bearer mine"), (b"cookie", b"c"))
    incoming = await transfers.open(asked(headers=headers, key="k", traceparent="00-a-b-01"))
    assert b"".join([piece async for piece in incoming.pieces()]) == b"body"
    await incoming.close()
    assert incoming.headers == {"content-length": "4", "etag": '"e"'}
    head = upstream.heads[0].lower()
    digest = hashlib.sha256(b"k").hexdigest()
    for line in (
        "authorization: bearer secret", "range: bytes=1-", "x-request-id: req_1", "traceparent: 00-a",
        f"idempotency-key: file:{SESSION}:{digest}", "accept-encoding: identity", f'"{SESSION}"',
    ):  # fmt: skip
        assert line in head
    assert "mine" not in head
    assert "cookie" not in head


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("a/b", "a/b"),
        ("a//b/", "a//b/"),
        ("../x", "%5Cx2e%5Cx2e/x"),
        ("./..x/..", "%5Cx2e/..x/%5Cx2e%5Cx2e"),
        ("q?#%2F\n", "q%3F%23%252F%0A"),
        ("ä", "%C3%A4"),
    ],
)
async def test_a_path_arrives_as_it_was_asked_for(serve, path, sent):
    """HTTP clients take dots away, and what stands before them: those go in another spelling."""
    upstream = FakeUpstream(GOOD)
    transfers = await serve(upstream)
    await (await transfers.open(asked(path=path))).close()
    assert upstream.heads[0].startswith(f"GET /v1/files/ann/w/{sent} HTTP/1.1")


async def test_a_refusal_ends_an_upload_that_is_still_under_way(serve):
    """Neither is the rest of it read, nor waited for."""
    upstream = FakeUpstream(FULL)
    transfers = await serve(upstream)
    has_begun = asyncio.Event()

    async def endless():
        yield b"x"
        has_begun.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        refused = await failure_of(transfers.open(asked("PUT"), endless()))
        await upstream.ended.wait()
    assert has_begun.is_set()
    assert (refused.code, refused.outcome) == ("quota_exceeded", "not_executed")


async def test_a_body_that_ends_early_is_told_as_such_and_never_looks_whole(serve):
    """The fault is the client's, and the other service sees no end of the body."""
    upstream = FakeUpstream(b"")
    transfers = await serve(upstream)

    async def broken():
        yield b"part"
        raise ClientError("malformed_request", "The body ended too early")

    async with asyncio.timeout(10):
        failure = await failure_of(transfers.open(asked("PUT"), broken()))
        await upstream.ended.wait()
    assert (failure.code, failure.outcome) == ("malformed_request", "not_executed")
    assert b"part" in upstream.came
    assert not upstream.came.endswith(b"0\r\n\r\n")


async def test_an_answer_that_breaks_off_is_no_answer(serve):
    """Its head says how long it is."""
    transfers = await serve(FakeUpstream(GOOD[:-1], hangs_up=True))
    incoming = await transfers.open(asked())

    async def read():
        async for _ in incoming.pieces():
            pass

    failure = await failure_of(read())
    await incoming.close()
    assert (failure.code, failure.outcome) == ("upstream_failed", "unknown")


async def test_an_upload_without_an_answer_is_unknown(serve):
    """It may have happened."""
    transfers = await serve(FakeUpstream(b"", hangs_up=True))

    async def body():
        yield b"x"

    failure = await failure_of(transfers.open(asked("PUT"), body()))
    assert (failure.code, failure.outcome) == ("upstream_failed", "unknown")


async def test_a_transfer_that_cannot_be_sent_is_unavailable():
    """Nobody listens: nothing was done."""
    async with open_http(f"http://127.0.0.1:{free_port()}", SecretStr("t"), 1) as http:
        failure = await failure_of(Transfers(http, timedelta(seconds=5)).open(asked()))
    assert (failure.code, failure.outcome) == ("unavailable", "not_executed")


async def test_an_answer_to_head_that_says_nothing_is_asked_for_again(serve):
    """Its body, which says what is wrong, comes with GET only."""
    upstream = FakeUpstream(FULL)

    async def refuse(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        upstream.heads.append(head)
        cut = FULL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        writer.write(cut if head.startswith("HEAD") else FULL)
        writer.close()
        await writer.wait_closed()

    transfers = await serve(refuse)
    assert (await failure_of(transfers.open(asked("HEAD")))).code == "quota_exceeded"
    assert [head.split()[0] for head in upstream.heads] == ["HEAD", "GET"]


async def test_a_transfer_without_an_answer_ends_when_its_time_is_up(serve, monkeypatch):
    """Whether it happened, nobody knows."""
    monkeypatch.setattr("orchestrator.execution.transfers.ANSWER_MARGIN", 0.0)
    transfers = await serve(FakeUpstream(b""), seconds=0.2)
    failure = await failure_of(transfers.open(asked()))
    assert (failure.code, failure.outcome) == ("deadline_exceeded", "unknown")
