"""Bodies that come slowly."""

import asyncio
from contextlib import suppress

import pytest
from fastapi import Request

from common.errors import ClientError
from common.web import body
from common.web.body import read_body

LIMIT = 10**9


def coming(*pieces, forever=None):
    """Return a request whose body comes in pieces, each when it is awaited, and then nothing more."""
    left = list(pieces)

    async def receive():
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": True}
        if forever is None:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return {"type": "http.request", "body": forever, "more_body": True}

    return Request({"type": "http", "headers": []}, receive)


async def told_of(request):
    """Return what whoever sent a body is told, once it has been given up."""
    async with asyncio.timeout(10):
        with pytest.raises(ClientError) as refusal:
            await read_body(request, LIMIT)
    assert refusal.value.code == "malformed_request"
    return refusal.value.detail


async def test_body_that_stops_coming_is_given_up(monkeypatch):
    monkeypatch.setattr(body, "PATIENCE", 0.05)
    assert "Nothing of the body came" in await told_of(coming(b"x"))


async def test_body_that_comes_for_ever_is_given_up(monkeypatch):
    """Each piece in time, and never an end."""
    monkeypatch.setattr(body, "WHOLE", 0.05)
    assert "took longer than" in await told_of(coming(forever=b"x"))


async def test_patience_begins_anew_with_each_piece(monkeypatch):
    """A body may take longer than one piece of it."""
    monkeypatch.setattr(body, "PATIENCE", 0.2)
    pieces = [b"x"] * 8
    loop, taken = asyncio.get_running_loop(), []

    async def receive():
        await _passed(loop, 0.05)
        taken.append(loop.time())
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    request = Request({"type": "http", "headers": []}, receive)
    assert await read_body(request, LIMIT) == b"x" * 8
    assert taken[-1] - taken[0] > 0.2


async def _passed(loop, seconds):
    with suppress(TimeoutError):
        async with asyncio.timeout_at(loop.time() + seconds):
            await asyncio.Event().wait()
