"""Requests that offer another protocol, as curl --http2, Java and JetBrains' clients send them."""

import asyncio
import json

import pytest

from common.web.protocols.patience import MAX_QUEUED
from tests.common.serving import SOON

OFFERS = {
    "curl": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "tls": b"Connection: keep-alive, Upgrade\r\nUpgrade: TLS/1.2\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "several": b"Connection: upgrade\r\nUpgrade: h2c\r\nUPGRADE: other\r\n",
}
SIZED = b"Content-Length: 5\r\n\r\nhello"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def echo(rest: bytes) -> bytes:
    """Return a request to echo it."""
    return b"POST /echo HTTP/1.1\r\nHost: x\r\nName: a b \t\r\n" + rest


async def answered(serving, *pieces: bytes) -> list[tuple[int, object]]:
    """Send the pieces one by one, and return the status and body of each answer."""
    reader, writer = await serving.connect()
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    answers = []
    async with asyncio.timeout(SOON):
        while head := await _head(reader):
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            answers.append((int(head.split()[1]), json.loads(await reader.readexactly(size))))
    return answers


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        assert not end.partial
        return b""


@pytest.mark.parametrize("body", [SIZED, CHUNKED], ids=["sized", "chunked"])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_the_body_behind_an_upgrade_offer_arrives_and_the_connection_goes_on(
    serve, offer, body
):
    """It was lost: a PUT emptied the file that it was to write, and said 200."""
    serving = await serve()
    sent = echo(offer + body)
    answers = await answered(serving, sent + sent + LAST)
    assert [status for status, _ in answers] == [200] * 3
    for _, (echoed, headers) in answers[:2]:
        assert (echoed, dict(headers)["name"]) == ("hello", "a b")
        assert "upgrade" not in dict(headers)


async def test_an_upgrade_offer_may_arrive_in_pieces(serve):
    """Wherever the network cuts it."""
    serving = await serve()
    sent = echo(OFFERS["curl"] + CHUNKED) + LAST
    answers = await answered(serving, *(sent[at : at + 1] for at in range(len(sent))))
    assert [status for status, _ in answers] == [200] * 2
    assert answers[0][1][0] == "hello"


async def test_an_upgrade_offer_without_a_body_is_served_and_the_next_request_too(serve):
    serving = await serve()
    live = b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + OFFERS["curl"] + b"\r\n"
    assert [status for status, _ in await answered(serving, live + live + LAST)] == [200] * 3


async def test_upgrade_offers_have_no_way_round_the_bounds(serve):
    """As many may wait as without them, and what is no request ends the connection."""
    serving = await serve()
    sent = echo(OFFERS["curl"] + SIZED)
    assert len(await answered(serving, sent * 100)) == MAX_QUEUED + 1
    answers = await answered(serving, echo(OFFERS["curl"] + CHUNKED.replace(b"3\r\n", b"z\r\n")))
    assert [status for status, _ in answers] == [400]


async def test_a_connect_is_answered_and_nothing_behind_it_is_taken_for_a_request(serve):
    """What follows is meant for the server behind a proxy."""
    serving = await serve()
    connect = b"CONNECT /health/live HTTP/1.1\r\nHost: x\r\n" + OFFERS["curl"] + b"\r\n"
    assert [status for status, _ in await answered(serving, connect + LAST)] == [405]
