"""Connections without a request: what they may hold up and pile up, over real sockets."""

import asyncio
import json

import pytest

from common.web.protocols.patience import MAX_HEADERS, MAX_QUEUED
from tests.common.serving import KIB, LARGE, SOON

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


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
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: ",
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;extension=",
    ],
    ids=["header", "trailer", "extension"],
)
async def test_what_the_http_parser_keeps_to_itself_is_bounded(serve, beginning):
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
        b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: y\r\n\r\n"
    )
    async with asyncio.timeout(SOON):
        answer = await reader.read(-1)
    body, headers = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (body, [name for name, _ in headers]) == (
        "x",
        ["host", "connection", "transfer-encoding"],
    )


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
async def test_what_is_no_http_request_is_refused_with_a_problem_document(serve, sent):
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
