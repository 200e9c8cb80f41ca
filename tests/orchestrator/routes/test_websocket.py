"""Events over a WebSocket: the same as over SSE, for those who may see them, and a clear end."""

import asyncio
import base64
import hashlib
import itertools
import json
import os
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from common.ids import new_id
from common.web.protocols import sockets
from common.web.server import MAX_FRAME
from orchestrator.security import sockets as security
from orchestrator.security.rate_limits import UserLimits
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.records import Ending
from orchestrator.streaming import websocket
from tests.orchestrator.builders import call_of, receipt, step
from tests.orchestrator.fakes import until

KEYS = {hashlib.sha256(b"ann's key").digest(): "ann", hashlib.sha256(b"bob").digest(): "bob"}
SOON = 20.0


@asynccontextmanager
async def opened(service, session_id, query="", **options):
    """Connect to a session's events; a test that waits for too long fails."""
    url = f"ws://{service.base}/v1/sessions/{session_id}/ws{query}"
    async with asyncio.timeout(SOON), connect(url, proxy=None, **options) as client:
        yield client


def bearer(key):
    """Return the options of a client that shows its key in the header."""
    return {"additional_headers": {"Authorization": f"Bearer {key}"}}


def offered(*names):
    """Return the options of a client that offers subprotocols."""
    return {"subprotocols": list(names)}


def in_name(key):
    """Return a subprotocol that carries a key."""
    return "key." + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


async def read(client, count):
    """Return the next events."""
    return [json.loads(await client.recv()) for _ in range(count)]


async def closed(client):
    """Return the code and the reason that the service closes with."""
    with suppress(ConnectionClosed):
        while True:
            await client.recv()
    return client.close_code, client.close_reason


async def status(service, session_id, query="", **options):
    """Return the HTTP status that a handshake is refused with, and the code of the problem."""
    with pytest.raises(InvalidStatus) as caught:
        async with opened(service, session_id, query, **options):
            pass
    response = caught.value.response
    return response.status_code, json.loads(response.body)["code"]


async def test_websocket_brings_what_sse_brings(live, store, leased):
    """One manager, two transports: a client may go from one to the other."""
    lease = await leased()
    service = await live(KEYS)
    async with opened(service, lease.session.id, **bearer("ann's key")) as client:
        assert [event["seq"] for event in await read(client, 3)] == [1, 2, 3]
        await store.progress.record(lease, [(step(), call_of(step()))])
        service.manager.wake(lease.session.id)
        [live_event] = await read(client, 1)
        assert client.response.headers["X-Request-ID"].startswith("req_")
    headers = bearer("ann's key")["additional_headers"] | {"Last-Event-ID": "3"}
    url = f"http://{service.base}/v1/sessions/{lease.session.id}/events"
    async with httpx.AsyncClient() as http, http.stream("GET", url, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                break
    assert json.loads(line.removeprefix("data: ")) == live_event


@pytest.mark.parametrize(
    ("query", "seqs"), [("?after_seq=2", [3]), ("?after_seq=002.0", [2, 3]), ("?after_seq=0", [1])]
)
async def test_websocket_goes_on_after_a_number_or_an_event_id(live, leased, query, seqs):
    """As `Last-Event-ID` does; a time that is not the entry's is told by a gap."""
    lease = await leased()
    service = await live(KEYS)
    async with opened(service, lease.session.id, query, **bearer("ann's key")) as client:
        assert [event["seq"] for event in await read(client, len(seqs))] == seqs


async def test_websocket_of_a_run_is_closed_normally_at_its_end(live, store, leased):
    """It brings that run's events, from its first one on."""
    lease = await leased()
    service = await live(KEYS)
    query = f"?run_id={lease.run.id}"
    async with opened(service, lease.session.id, query, **bearer("ann's key")) as client:
        assert [event["type"] for event in await read(client, 2)] == ["run.queued", "run.started"]
        await store.progress.finish(lease, Ending("cancelled", reason="x"))
        service.manager.wake(lease.session.id)
        assert [event["type"] for event in await read(client, 1)] == ["run.cancelled"]
        assert (await closed(client))[0] == 1000


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        (bearer("ann's key"), None),
        (bearer("ann's key") | offered("agentic.v1"), "agentic.v1"),
        (offered("agentic.v1", in_name("ann's key")), "agentic.v1"),
        (offered(in_name("ann's key"), "agentic.v1"), "agentic.v1"),
        (bearer("ann's key") | {"origin": "https://app.example"}, None),
    ],
)
async def test_websocket_takes_the_key_from_a_header_or_a_subprotocol(
    live, leased, options, protocol
):
    """The key is never sent back; with keys, pages of any origin may come."""
    lease = await leased()
    async with opened(await live(KEYS), lease.session.id, **options) as client:
        assert client.subprotocol == protocol
        assert (await read(client, 1))[0]["seq"] == 1


async def test_websocket_takes_the_key_from_the_first_message(live, leased):
    """For browsers that cannot set headers, and clients that want no key in the handshake."""
    lease = await leased()
    async with opened(await live(KEYS), lease.session.id) as client:
        await client.send('{"key": "ann\'s key"}')
        assert (await read(client, 1))[0]["seq"] == 1


@pytest.mark.parametrize(
    "options",
    [
        bearer("eve's key"),
        {"additional_headers": {"Authorization": "Basic x"}},
        offered("agentic.v1", in_name("eve's key")),
        offered("agentic.v1", "key.!"),
        offered("agentic.v1", "key."),
        offered("agentic.v1", in_name("ann's key"), in_name("bob")),
        bearer("eve's key") | offered("agentic.v1", in_name("ann's key")),
    ],
)
async def test_websocket_with_a_wrong_key_is_closed_with_4401(live, leased, options):
    """A code, since browsers hide why a handshake was refused; one wrong key is enough."""
    lease = await leased()
    async with opened(await live(KEYS), lease.session.id, **options) as client:
        assert await closed(client) == (4401, "unauthenticated")


@pytest.mark.parametrize(
    "message",
    ['{"key": "eve"}', "{}", "x", b'{"key": "bob"}', '{"key": 1}', '{"key": "bob", "x": 1}', "[]"],
)
async def test_websocket_whose_first_message_is_no_key_is_closed_with_4401(live, leased, message):
    """Whatever it is."""
    lease = await leased()
    async with opened(await live(KEYS), lease.session.id) as client:
        await client.send(message)
        assert await closed(client) == (4401, "unauthenticated")


async def test_websocket_that_shows_no_key_in_time_is_closed_with_4401(live, leased, monkeypatch):
    """Nobody holds a connection without a key."""
    monkeypatch.setattr(security, "FIRST_MESSAGE_TIME", 0.05)
    lease = await leased()
    async with opened(await live(KEYS), lease.session.id) as client:
        assert await closed(client) == (4401, "unauthenticated")


@pytest.mark.parametrize("options", [{}, bearer("ann's key")])
async def test_websocket_with_too_large_a_message_is_closed_with_1009(live, leased, options):
    """Before the key and after it: commands go by REST, nothing large is expected."""
    lease = await leased()
    async with opened(await live(KEYS), lease.session.id, **options) as client:
        await client.send("x" * (MAX_FRAME + 1))
        assert (await closed(client))[0] == 1009


async def test_websocket_passes_over_what_the_client_says(live, store, leased):
    """Also where a key was not needed any more."""
    lease = await leased()
    service = await live(KEYS)
    async with opened(service, lease.session.id, **bearer("ann's key")) as client:
        for message in ('{"key": "eve"}', b"x", ""):
            await client.send(message)
        assert len(await read(client, 3)) == 3
        await store.progress.record(lease, [(step(), call_of(step()))])
        service.manager.wake(lease.session.id)
        assert [event["type"] for event in await read(client, 1)] == ["step.started"]


@pytest.mark.parametrize("key", ["bob", "ann's key"])
async def test_websocket_of_an_unknown_session_is_closed_with_4404(live, leased, key):
    """Another user's session does not exist; nor does a run of another session."""
    lease = await leased()
    service = await live(KEYS)
    session_id = lease.session.id if key == "bob" else new_id("ses")
    async with opened(service, session_id, **bearer(key)) as client:
        assert await closed(client) == (4404, "session_not_found")
    query = f"?run_id={new_id('run')}"
    async with opened(service, lease.session.id, query, **bearer("ann's key")) as client:
        assert await closed(client) == (4404, "run_not_found")


async def test_websocket_is_closed_with_4404_when_its_session_is_deleted(live, store, session):
    """There is nothing more to come."""
    mine = await session("local")
    service = await live()
    async with opened(service, mine.id) as client:
        await read(client, 1)
        await store.sessions.delete(mine.id, "local")
        service.manager.wake(mine.id)
        assert (await closed(client))[0] == 4404


async def test_websocket_without_keys_is_refused_to_other_hosts_and_origins(live, session, caplog):
    """Before it is accepted: any web page could drive the service, and needs no permission for it."""
    mine = await session("local")
    service = await live()
    for origin in ("https://evil.example", "null"):
        assert await status(service, mine.id, origin=origin) == (403, "forbidden")
    elsewhere = SimpleNamespace(base=f"evil.example:{service.address[1]}")
    assert await status(elsewhere, mine.id, host="127.0.0.1") == (403, "forbidden")
    async with opened(service, mine.id, origin=f"http://{service.base}") as client:
        assert (await read(client, 1))[0]["type"] == "session.created"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_websocket_of_no_good_address_is_refused_with_a_problem(live, session):
    """As other requests are: 422 for what is not valid, 403 where there is no route."""
    mine = await session("local")
    service = await live()
    for query in ("?after_seq=x", "?after_seq=-1", "?run_id=1"):
        assert await status(service, mine.id, query) == (422, "invalid_request")
    assert await status(service, "ses_1") == (422, "invalid_request")


async def test_websocket_client_that_stops_reading_is_closed_with_1013(
    live, store, leased, monkeypatch
):
    """No more is kept for it than the transport holds; it goes on from its last event."""
    monkeypatch.setattr(sockets.PatientWebSocketProtocol, "write_time", 0.2)
    lease = await leased()
    service = await live(KEYS)
    options = bearer("ann's key") | {"max_queue": 1, "ping_interval": None}
    async with opened(service, lease.session.id, **options) as client:
        await read(client, 3)
        client.transport.pause_reading()
        big = step(status="succeeded", receipts=[receipt("x" * 200_000, "1")])
        for n in range(1, 200):
            made = big.model_copy(update={"n": n})
            await store.progress.record(lease, [(made, call_of(made))])
            service.manager.wake(lease.session.id)
            await asyncio.sleep(0)
            if not service.manager._feeds:
                break
        await until(lambda: not service.manager._feeds)
        client.transport.resume_reading()
        assert (await closed(client))[0] == 1013


@pytest.mark.parametrize("says_goodbye", [False, True])
async def test_websocket_client_that_never_reads_again_is_cut_off(
    live, store, leased, monkeypatch, says_goodbye
):
    """A close that it does not take must not hold the connection, whoever closes."""
    monkeypatch.setattr(sockets.PatientWebSocketProtocol, "write_time", 0.1)
    monkeypatch.setattr(sockets.PatientWebSocketProtocol, "close_time", 0.1)
    lease = await leased()
    service = await live(KEYS)
    options = bearer("ann's key") | {"max_queue": 1, "ping_interval": None}
    async with opened(service, lease.session.id, **options) as client:
        await read(client, 3)
        [connection] = service.server.server_state.connections
        client.transport.pause_reading()
        big = step(status="succeeded", receipts=[receipt("x" * 200_000, "1")])
        for n in itertools.count(1):
            made = big.model_copy(update={"n": n})
            await store.progress.record(lease, [(made, call_of(made))])
            service.manager.wake(lease.session.id)
            await asyncio.sleep(0)
            if not connection.writable.is_set() or connection.close_sent:
                break
        if says_goodbye:
            client.protocol.send_close(1000)
            client.transport.write(b"".join(client.protocol.data_to_send()))
        await until(lambda: not service.server.server_state.connections)
        client.transport.abort()


async def test_websocket_is_closed_with_1012_when_the_service_stops(live, session):
    """Come again: another one takes over."""
    mine = await session("local")
    service = await live()
    async with opened(service, mine.id) as client:
        await read(client, 1)
        await service.stop()
        assert (await closed(client))[0] == 1012


@pytest.mark.parametrize(
    "request_line",
    [b"GET /v1/sessions/x/ws HTTP/1.1\r\n", b"POST /v1/sessions/x/ws HTTP/1.1\r\n"],
)
async def test_websocket_handshake_that_is_none_does_not_hold_a_connection(live, request_line):
    """Without a key, without a version, with another method or too many headers."""
    service = await live()
    head = b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    for more in (b"", b"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n", b"A: b\r\n" * 200):
        reader, writer = await asyncio.open_connection(*service.address)
        writer.write(request_line + head + more + b"Connection: close, Upgrade\r\n\r\n")
        async with asyncio.timeout(SOON):
            await reader.read()
        writer.close()
        await writer.wait_closed()
    await until(lambda: not service.server.server_state.connections)


async def test_websocket_is_not_opened_behind_an_answer_that_is_still_on_its_way(live, session):
    """Two would write to one connection, and the first one's patience would end the second."""
    mine = await session("local")
    service = await live()
    path = f"/v1/sessions/{mine.id}".encode()
    reader, writer = await asyncio.open_connection(*service.address)
    writer.write(b"GET %b/events HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
    writer.write(
        b"GET %b/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
        % (path, base64.b64encode(b"x" * 16))
    )
    async with asyncio.timeout(SOON):
        with suppress(ConnectionResetError):
            assert b"101" not in await reader.read()
    writer.close()


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_a_hundred_rounds_of_reconnecting_leave_nothing_open(live, session, transport):
    """Descriptors, tasks and readers: what stays of each client would add up to an outage."""
    mine = await session("local")
    service = await live()

    async def over_sse():
        url = f"http://{service.base}/v1/sessions/{mine.id}/events"
        async with httpx.AsyncClient() as http, http.stream("GET", url) as answer:
            assert await anext(answer.aiter_lines()) == ": following"

    async def over_websocket():
        async with opened(service, mine.id) as client:
            await read(client, 1)

    once = over_sse if transport == "sse" else over_websocket
    await once()
    await until(lambda: not service.manager._feeds)
    before = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
    for _ in range(100):
        await once()
    await until(lambda: not service.manager._feeds)
    await until(lambda: not service.server.server_state.connections)
    await until(lambda: len(asyncio.all_tasks()) <= before[1])
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before[0])


async def test_websocket_counts_as_an_open_stream_of_its_user(live, leased):
    """The client comes again later; its events are still there."""
    lease = await leased()
    service = await live(KEYS, user_limits=UserLimits(streams=1))
    held = bearer("ann's key")
    async with opened(service, lease.session.id, **held) as first:
        await read(first, 1)
        async with opened(service, lease.session.id, **held) as second:
            assert await closed(second) == (websocket.TRY_AGAIN, "rate_limited")


async def test_websocket_is_closed_with_1011_when_its_events_cannot_be_read(
    live, store, session, monkeypatch
):
    """A fault inside ends the stream; a client that hangs would never come again."""
    mine = await session("local")
    service = await live()
    async with opened(service, mine.id) as client:
        await read(client, 1)
        await until(lambda: service.manager._feeds[mine.id].last_seq == 1)

        async def broken(*_):
            raise ValueError

        monkeypatch.setattr(store.events, "after", broken)
        service.manager.wake(mine.id)
        assert await closed(client) == (1011, "internal")


async def test_websocket_is_told_to_come_again_while_the_store_is_away(
    live, store, session, monkeypatch
):
    """1013, as when it is too slow: what it asks for is there, but not now."""
    mine = await session("local")
    service = await live()

    async def away(*_):
        raise StoreUnavailable("unavailable", "away")

    monkeypatch.setattr(type(store.sessions), "get", away)
    async with opened(service, mine.id) as client:
        assert await closed(client) == (1013, "unavailable")
