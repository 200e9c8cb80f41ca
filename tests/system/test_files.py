"""A session's files through both services: as the standard has it, once, and in flat memory."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import httpx
import pytest

from agentic import AgenticClient
from common.errors import AgenticError
from tests.system.services import wait_until

MIB = 1024 * 1024
LARGE = 200 * MIB
ROOM = 64 * MIB
"""Bytes by which a service may grow while LARGE goes through it."""
UNUSUAL = [
    "a b",
    "ä ö/ñ",
    "q?x=1",
    "h#f",
    "per%cent%2Fcent",
    "new\nline",
    "plus+;=&@:",
    "~'\"*()!$,",
]


@pytest.fixture
async def session(client):
    """A session of the shared services on a workspace of its own."""
    session = await client.create_session()
    yield session
    await client.delete_session(session.id, with_workspace=True)


@pytest.fixture
async def http(shared):
    """Plain HTTP to the shared orchestrator."""
    async with httpx.AsyncClient(base_url=shared.main.url, trust_env=False, timeout=30) as http:
        yield http


def url(session, path=""):
    """Return where a session's file is."""
    return f"/v1/sessions/{session.id}/files/{path}"


async def test_a_file_goes_up_and_comes_down_with_ranges_and_conditions(http, session):
    """Both services together answer as the execution environment alone does."""
    data = os.urandom(100_000)
    made = await http.put(url(session, "d/f"), content=data)
    assert made.status_code == 201
    assert [receipt["path"] for receipt in made.json()["receipts"]] == ["d/f", "d"]
    head = await http.head(url(session, "d/f"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == "100000"
    whole = await http.get(url(session, "d/f"))
    assert (whole.content, whole.headers["accept-ranges"]) == (data, "bytes")
    tag, since = whole.headers["etag"], whole.headers["last-modified"]
    part = await http.get(url(session, "d/f"), headers={"Range": "bytes=5-9", "If-Range": tag})
    assert (part.status_code, part.content) == (206, data[5:10])
    assert part.headers["content-range"] == "bytes 5-9/100000"
    for known in ({"If-None-Match": tag}, {"If-Modified-Since": since}):
        same = await http.get(url(session, "d/f"), headers=known)
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    past = await http.get(url(session, "d/f"), headers={"Range": "bytes=100000-"})
    assert (past.status_code, past.headers["content-range"]) == (416, "bytes */100000")
    again = await http.put(url(session, "d/f"), content=b"new", headers={"If-Match": tag})
    assert again.status_code == 200
    for method, more in (("PUT", {"content": b"x"}), ("DELETE", {})):
        stale = await http.request(method, url(session, "d/f"), headers={"If-Match": tag}, **more)
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    new = await http.put(url(session, "d/f"), content=b"x", headers={"If-None-Match": "*"})
    assert new.status_code == 412
    gone = await http.delete(url(session, "d/f"))
    assert [receipt["operation"] for receipt in gone.json()["receipts"]] == ["delete"]
    for missing in (await http.get(url(session, "d/f")), await http.delete(url(session, "d/f"))):
        assert (missing.status_code, missing.json()["code"]) == (404, "path_not_found")
    assert (await http.head(url(session, "d/f"))).status_code == 404


async def test_a_directory_is_listed_page_by_page(client, http, session):
    """The workspace itself with or without a slash, also before it was made."""
    for path in (f"/v1/sessions/{session.id}/files", url(session)):
        answer = await http.get(path)
        assert answer.json() == {"entries": [], "next_cursor": None}
    for name in ("d/a", "d/b", "d/c"):
        await client.files.write(session.id, name, b"x")
    page = await client.files.list(session.id, "d", limit=2)
    assert ([entry.path for entry in page.entries], page.next_cursor) == (["d/a", "d/b"], "d/b")
    page = await client.files.list(session.id, "d", limit=2, cursor=page.next_cursor)
    assert ([entry.path for entry in page.entries], page.next_cursor) == (["d/c"], None)
    deep = await client.files.list(session.id, depth=2)
    assert [entry.path for entry in deep.entries] == ["d", "d/a", "d/b", "d/c"]
    assert (await client.files.info(session.id, "d")).type == "directory"
    head = await http.head(url(session, "d"))
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")
    refused = await http.get(url(session, "d"), params={"limit": "0"})
    assert refused.json()["code"] == "invalid_request"


@pytest.mark.parametrize("name", UNUSUAL)
async def test_an_unusual_name_is_the_same_file_all_the_way(client, session, name):
    """Whatever means something to a URL means nothing in a name."""
    path = f"d/{name}"
    result = await client.files.write(session.id, path, name.encode())
    async with client.files.read(session.id, path) as download:
        assert await read(download.pieces()) == name.encode()
    call = await client.files.list(session.id, result.receipts[0].path.rpartition("/")[0])
    assert result.receipts[0].path in [entry.path for entry in call.entries]
    assert (await client.files.delete(session.id, path)).receipts[0].operation == "delete"


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/x",
        "%2e%2e%2fx",
        "d/%2e%2e/%2e%2e/x",
        "%2Fetc/passwd",
        "/etc/passwd",
        "%5Cx2e%5Cx2e/x",
    ],
)
async def test_no_path_leads_out_of_the_workspace(shared, session, path):
    """Not by what HTTP clients do to dots on the way."""
    for method in ("GET", "PUT", "DELETE"):
        head = f"{method} {url(session, path)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        answer = await raw(shared, f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "path_not_allowed"


async def raw(shared, request):
    """Return the whole answer to a request that nobody has touched."""
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.main.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_change_happens_once_for_each_key_of_a_session(http, client, session):
    """The same key again says what it did; in another session it stands for something else."""
    key = {"Idempotency-Key": "once"}
    first = (await http.put(url(session, "f"), content=b"old", headers=key)).json()
    assert first["id"].startswith(f"file:{session.id}:")
    await http.put(url(session, "f"), content=b"new")
    again = (await http.put(url(session, "f"), content=b"old", headers=key)).json()
    assert (again["replayed"], again["receipts"]) == (True, first["receipts"])
    other = await http.put(url(session, "f"), content=b"other", headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    async with client.files.read(session.id, "f") as download:
        assert await read(download.pieces()) == b"new"
    another = await client.create_session(session.workspace)
    assert not (await http.put(url(another, "f"), content=b"else", headers=key)).json()["replayed"]
    await client.delete_session(another.id)


async def test_files_change_beside_the_runs_of_their_session(client, session):
    """What a person changes belongs to no run: no owner of one has to let it pass."""
    run = await client.start_run(session.id, goal="write 'x' to f")
    run = await client.wait(session.id, run.id)
    assert run.status == "succeeded"
    result = await client.files.write(session.id, "f", b"mine")
    assert result.receipts[0].operation == "replace"
    await client.files.delete(session.id, "f")


async def test_another_users_files_are_not_there(tmp_path_factory, services):
    """Neither by a session's id, nor by a workspace's name."""
    keys = {user: f"key-of-{user}" for user in ("ann", "bob")}
    digests = [f"{hashlib.sha256(key.encode()).hexdigest()}:{user}" for user, key in keys.items()]
    stack = services(orchestrator_env={"ORCHESTRATOR_API_KEYS": ",".join(digests)})
    async with (
        AgenticClient(stack.main.url, keys["ann"]) as ann,
        AgenticClient(stack.main.url, keys["bob"]) as bob,
    ):
        session = await ann.create_session("shared-name")
        await ann.files.write(session.id, "f", b"ann's")
        for work in (
            bob.files.info(session.id, "f"),
            bob.files.write(session.id, "f", b"bob's"),
            bob.files.delete(session.id, "f"),
            bob.files.list(session.id),
        ):
            assert await code_of(work) == "session_not_found"
        assert await code_of(bob.workspaces.get("shared-name")) == "workspace_not_found"
        assert await code_of(bob.workspaces.delete("shared-name")) == "workspace_not_found"
        assert (await bob.workspaces.list()).items == []
        assert (await ann.files.info(session.id, "f")).size == 5


async def code_of(work):
    """Return the code of the error that something ends with."""
    with pytest.raises(AgenticError) as caught:
        await work
    return caught.value.code


async def test_a_workspace_is_told_with_its_sessions_and_deleted_without(client):
    """While a session names it, nobody takes it away."""
    first, second = [await client.create_session("told") for _ in range(2)]
    await client.files.write(first.id, "f", b"12345")
    told = await client.workspaces.get("told")
    assert (told.size, told.entries) == (5, 1)
    assert told.sessions == [second.id, first.id]
    assert told in (await client.workspaces.list()).items
    with pytest.raises(AgenticError) as caught:
        await client.workspaces.delete("told")
    assert (caught.value.code, caught.value.context.sessions) == ("workspace_in_use", told.sessions)
    assert await code_of(client.delete_session(first.id, with_workspace=True)) == "workspace_in_use"
    await client.delete_session(first.id)
    assert (await client.files.info(second.id, "f")).size == 5
    await client.delete_session(second.id, with_workspace=True)
    assert await code_of(client.session(second.id)) == "session_not_found"
    assert await code_of(client.workspaces.get("told")) == "workspace_not_found"
    assert await code_of(client.workspaces.delete("told")) == "workspace_not_found"


async def test_a_session_goes_with_a_workspace_that_is_gone_already(client):
    """Of a deletion that was cut short, the same request does the rest."""
    session = await client.create_session()
    await client.delete_session(session.id, with_workspace=True)
    assert await code_of(client.session(session.id)) == "session_not_found"


def memory_of(service):
    """Return the bytes that a process holds in memory."""
    told = Path(f"/proc/{service.process.pid}/statm").read_text().split()
    return int(told[1]) * os.sysconf("SC_PAGE_SIZE")


async def read(body):
    """Return all of a body."""
    return b"".join([piece async for piece in body])


async def pieces():
    """Yield LARGE bytes."""
    piece = os.urandom(MIB)
    for _ in range(LARGE // MIB):
        yield piece


class Growth:
    """How much each service has grown at most, while somebody looks."""

    def __init__(self, *services):
        self._services = services
        self._before = [memory_of(service) for service in services]
        self.most = 0

    def look(self):
        """Look at each of them."""
        for service, before in zip(self._services, self._before, strict=True):
            self.most = max(self.most, memory_of(service) - before)

    async def during(self, pieces):
        """Yield pieces, and look with each of them."""
        async for piece in pieces:
            self.look()
            yield piece


@pytest.mark.timeout(180)
async def test_a_large_file_goes_up_and_down_in_flat_memory(shared, client, session):
    """Neither service holds more than a few pieces, also for a client that takes its time."""
    await client.files.write(session.id, "warm", b"x" * MIB)
    growth, size = Growth(shared.main, shared.execution), 0
    await client.files.write(session.id, "large", lambda: growth.during(pieces()))
    async with client.files.read(session.id, "large") as download:
        async for piece in growth.during(download.pieces()):
            if size == 0:
                await asyncio.sleep(1)  # nobody reads: what is sent has to wait
            size += len(piece)
    assert size == LARGE
    assert growth.most < ROOM


@pytest.mark.timeout(120)
async def test_a_client_that_goes_ends_the_request_upstream(shared, http, session):
    """Nothing goes on for nobody: the file is closed, and what was staged is removed."""
    pid, staging = shared.execution.process.pid, shared.demo.parents[2] / "state" / "staging"
    await http.put(url(session, "large"), content=os.urandom(32 * MIB))
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.main.port)
    writer.write(f"GET {url(session, 'large')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await reader.readexactly(1000)
    await asyncio.to_thread(wait_until, lambda: _has_open(pid, "large"), 10)
    writer.transport.abort()
    await asyncio.to_thread(wait_until, lambda: not _has_open(pid, "large"), 10)
    _, writer = await asyncio.open_connection("127.0.0.1", shared.main.port)
    head = f"PUT {url(session, 'new')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n"
    writer.write(f"{head}part".encode())
    await asyncio.to_thread(wait_until, lambda: _staged(staging), 10)
    writer.transport.abort()
    await asyncio.to_thread(wait_until, lambda: not _staged(staging), 10)
    assert (await http.head(url(session, "new"))).status_code == 404


def _has_open(pid, name):
    for link in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{link}").endswith(f"/{name}"):
                return True
        except FileNotFoundError:
            continue
    return False


def _staged(staging):
    return [name for process in staging.iterdir() for name in process.iterdir()]


@pytest.mark.timeout(120)
async def test_an_upstream_that_dies_in_mid_body_never_looks_complete(services):
    """The client's connection breaks, or the outcome is unknown; the same key again makes it so."""
    stack = services()
    async with httpx.AsyncClient(base_url=stack.main.url, trust_env=False, timeout=30) as http:
        session = (await http.post("/v1/sessions", json={"workspace": "demo"})).json()
        where = f"/v1/sessions/{session['id']}/files/large"
        data, key = os.urandom(32 * MIB), {"Idempotency-Key": "once"}
        await http.put(where, content=data)
        async with http.stream("GET", where) as answer:
            assert answer.headers["content-length"] == str(len(data))
            body = answer.aiter_bytes()
            await anext(body)
            stack.execution.kill()
            with pytest.raises(httpx.TransportError):
                await read(body)

        staging = stack.demo.parents[2] / "state" / "staging"

        async def dying():
            yield data[:MIB]
            await asyncio.to_thread(wait_until, lambda: _staged(staging), 10)
            stack.execution.kill()
            yield data[MIB:]

        await asyncio.to_thread(stack.execution.start)
        assert (await http.get(where)).content == data
        lost = await http.put(f"{where}2", content=dying(), headers=key)
        assert (lost.status_code, lost.json()["outcome"]) == (502, "unknown")
        away = await http.put(f"{where}2", content=b"x")
        assert (away.status_code, away.json()["code"]) == (503, "unavailable")
        await asyncio.to_thread(stack.execution.start)
        assert (await http.put(f"{where}2", content=data, headers=key)).status_code == 201
        assert (stack.demo / "large2").read_bytes() == data


async def test_a_transfer_has_its_time_and_no_more(services):
    """A body that takes longer is refused, truthfully."""
    stack = services(orchestrator_env={"ORCHESTRATOR_TRANSFER_TIMEOUT": "0.5"})

    async def slow():
        for _ in range(40):
            yield b"x"
            await asyncio.sleep(0.05)

    async with httpx.AsyncClient(base_url=stack.main.url, trust_env=False, timeout=30) as http:
        session = (await http.post("/v1/sessions", json={})).json()
        late = await http.put(f"/v1/sessions/{session['id']}/files/f", content=slow())
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
