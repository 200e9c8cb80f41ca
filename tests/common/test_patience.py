"""Connections without a request: what they may hold up and pile up, over real sockets."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from common.web.app import build_app
from common.web.body import JsonRoute, read_body
from common.web.health import health_router
from common.web.patience import MAX_HEADERS, MAX_QUEUED, PatientProtocol

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
KIB = b"x" * 1024
LARGE = 8 * 1024
"""KiB: more than the kernel keeps for a client that does not read."""
SOON = 20.0
"""Seconds: far more than what is waited for here takes, far less than for ever."""


class Broken(Response):
    """An answer that breaks off as soon as the server has to keep some of it."""

    def __init__(self, is_kept, gate: asyncio.Event) -> None:
        super().__init__()
        self._is_kept, self._gate = is_kept, gate

    async def __call__(self, scope, receive, send) -> None:
        """Send until nobody takes it."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not self._is_kept():
            await send({"type": "http.response.body", "body": KIB, "more_body": True})
        self._gate.set()


def _router(gate: asyncio.Event, is_kept) -> APIRouter:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/headers")
    async def headers(request: Request) -> list[str]:
        await read_body(request, 100)
        return request.headers.keys()

    @router.post("/json")
    async def take(body: dict[str, int]) -> None:
        """Take a body of a few bytes."""

    @router.get("/large")
    async def large() -> StreamingResponse:
        return StreamingResponse(_large())

    @router.get("/broken")
    async def broken() -> Response:
        return Broken(is_kept, gate)

    @router.get("/slow")
    async def slow() -> str:
        await gate.wait()
        return "done"

    return router


async def _large():
    for _ in range(LARGE):
        yield KIB


class Serving:
    """A server of this process, whose patience the test chooses."""

    def __init__(self, server: uvicorn.Server, gate: asyncio.Event) -> None:
        self.server, self.gate = server, gate
        self.address = server.servers[0].sockets[0].getsockname()
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, received: int | None = None):
        """Open a connection; `received` bounds what the kernel keeps for it, in bytes."""
        client = socket.socket()
        client.setblocking(False)
        if received is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
        await asyncio.get_running_loop().sock_connect(client, self.address)
        reader, writer = await asyncio.open_connection(sock=client, limit=1024)
        self._writers.append(writer)
        return reader, writer

    def end(self) -> None:
        """Stop serving; close what the test has opened."""
        self.gate.set()
        self.server.should_exit = True
        for writer in self._writers:
            writer.transport.abort()

    async def is_free(self) -> None:
        """Wait until it has no connection."""
        async with asyncio.timeout(SOON):
            while self.server.server_state.connections:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _lifespan(_):
    yield


@pytest.fixture
async def serve():
    """Serve with some seconds of patience, the production's unless they are given."""
    ends = []

    async def start(keep_alive=30.0, **times):
        gate = asyncio.Event()

        def is_kept():
            held = server.server_state.connections
            return any(connection.transport.get_write_buffer_size() for connection in held)

        protocol = type("Hasty", (PatientProtocol,), times)
        app = build_app(
            title="test", source="orchestrator", max_body=100,
            routers=[_router(gate, is_kept), health_router(dict)], lifespan=_lifespan,
        )  # fmt: skip
        config = uvicorn.Config(
            app, port=0, http=protocol, timeout_keep_alive=keep_alive, log_config=None,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        serving = Serving(server, gate)
        ends.append((serving, task))
        return serving

    yield start
    for serving, task in ends:
        serving.end()
        await task


async def _is_dropped(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(SOON):
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
        return True


async def _trickle_until_dropped(writer: asyncio.StreamWriter, piece: bytes) -> None:
    async with asyncio.timeout(SOON):
        while not writer.transport.is_closing():
            writer.write(piece)
            await asyncio.sleep(0.02)


async def test_requests_that_wait_are_few_and_answered_before_the_connection_ends(serve):
    """An endless pipeline took 1.7 GB in 25 s: each request waited in memory for its turn."""
    serving = await serve()
    reader, writer = await serving.connect()
    writer.write(LIVE * 1000)
    async with asyncio.timeout(SOON):
        answers = await reader.read(-1)
    assert answers.count(b"HTTP/1.1 200") == MAX_QUEUED + 1
    assert answers.count(b"HTTP/1.1") == MAX_QUEUED + 1
    await serving.is_free()


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Endless: ",
        b"POST /headers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: ",
        b"POST /headers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;extension=",
    ],
    ids=["header", "trailer", "extension"],
)
async def test_what_the_parser_keeps_to_itself_is_bounded(serve, beginning):
    """A single endless header grew until the timer came: it counts before it is complete."""
    serving = await serve(header_time=600.0)
    reader, writer = await serving.connect()
    writer.write(beginning)
    for _ in range(512):
        writer.write(KIB)
    assert await _is_dropped(reader)


async def test_headers_that_are_complete_and_too_long_are_told_so(serve):
    """An honest client with a large cookie learns what is wrong."""
    serving = await serve()
    reader, writer = await serving.connect()
    writer.write(LIVE[:-2] + b"Cookie: " + b"x" * MAX_HEADERS + b"\r\n\r\n")
    async with asyncio.timeout(SOON):
        answer = await reader.read(-1)
    assert answer.startswith(b"HTTP/1.1 400")
    assert f"longer than {MAX_HEADERS} bytes".encode() in answer


async def test_trailers_are_no_headers(serve):
    """They come after everything was decided on the headers."""
    serving = await serve()
    reader, writer = await serving.connect()
    writer.write(
        b"POST /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: y\r\n\r\n"
    )
    async with asyncio.timeout(SOON):
        answer = await reader.read(-1)
    assert b'["host","connection","transfer-encoding"]' in answer


async def test_a_connection_ends_that_never_says_anything(serve):
    """Each takes a descriptor."""
    serving = await serve(header_time=0.2)
    reader, _ = await serving.connect()
    assert await _is_dropped(reader)


async def test_an_idle_connection_ends_after_an_answer_whatever_trickles_in(serve):
    """One empty line, which begins no request, stopped the timer for good."""
    serving = await serve(keep_alive=0.3)
    reader, writer = await serving.connect()
    writer.write(LIVE)
    assert await reader.readuntil(b"}")
    await _trickle_until_dropped(writer, b"\r\n")
    await serving.is_free()


async def test_a_connection_ends_after_a_refused_body_that_goes_on(serve):
    """The answer is there; the rest of the body may come for a while, not for ever."""
    serving = await serve(keep_alive=0.3)
    reader, writer = await serving.connect()
    writer.write(
        b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000\r\n\r\n"
    )
    assert b"413" in await reader.readuntil(b"\r\n")
    await _trickle_until_dropped(writer, b"x")
    await serving.is_free()


async def test_a_connection_ends_whose_client_takes_nothing_of_its_answer(serve):
    """It held the route, its file and its buffers for as long as the client liked."""
    serving = await serve(write_time=0.3)
    _, writer = await serving.connect(received=4096)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await serving.is_free()


async def test_a_connection_ends_whose_answer_broke_off_and_is_not_taken(serve):
    """What is left of it waited for the client for ever."""
    serving = await serve(write_time=0.3)
    _, writer = await serving.connect(received=4096)
    writer.write(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(SOON):
        await serving.gate.wait()
    await serving.is_free()


async def test_pipelined_requests_do_not_keep_an_answer_alive_that_nobody_takes(serve):
    """What comes in is no sign that something goes out."""
    serving = await serve(write_time=0.3, header_time=600.0)
    _, writer = await serving.connect(received=4096)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await _trickle_until_dropped(writer, LIVE)
    await serving.is_free()


async def test_a_slow_client_is_served_as_long_as_it_takes_something(serve):
    """Slow is not hostile: 8 MiB over a thin line take longer than any fixed bound."""
    serving = await serve(write_time=1.0, keep_alive=0.1)
    reader, writer = await serving.connect(received=65536)
    writer.write(b"GET /large HTTP/1.0\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    taken, started = 0, asyncio.get_running_loop().time()
    async with asyncio.timeout(SOON):
        while piece := await reader.read(1024):
            taken += piece.count(b"x")
            if asyncio.get_running_loop().time() - started < 2.5:
                await asyncio.sleep(0.001)
    assert taken == LARGE * 1024


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_what_is_no_request_is_refused_with_a_problem_document(serve, sent):
    """The parser's own refusals were plain text, alone among all errors."""
    serving = await serve()
    reader, writer = await serving.connect()
    writer.write(sent)
    async with asyncio.timeout(SOON):
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert b"content-type: application/problem+json" in head
    assert f"x-request-id: {problem['request_id']}".encode() in head
    assert (problem["status"], problem["code"]) == (400, "malformed_request")
    assert problem["source"] == "orchestrator"


async def test_nonsense_behind_a_request_does_not_answer_for_it(serve):
    """A 400 in the place of its answer said "not executed" of a call that was under way."""
    serving = await serve()
    reader, writer = await serving.connect()
    writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
    async with asyncio.timeout(SOON):
        while not serving.server.server_state.tasks:
            await asyncio.sleep(0.01)
        serving.gate.set()
        answer = await reader.read(-1)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'"done"')


async def test_an_upgrade_that_is_not_made_ends_with_its_answer(serve):
    """The parser skips the body of such a request: what comes then was taken for the next one."""
    serving = await serve()
    reader, writer = await serving.connect()
    writer.write(
        b"POST /headers HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
        b"Content-Length: %d\r\n\r\n" % len(LIVE)
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(LIVE)
    async with asyncio.timeout(SOON):
        rest = await reader.read(-1)
    assert b"connection: close" in head
    assert b"HTTP/1.1" not in rest
