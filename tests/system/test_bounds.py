"""Things that are too large, too many, too slow or never ready: bounded time and memory, printed."""

import asyncio
import hashlib
import os
import resource
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.system.services import TOKEN, execution_environment, wait_until

MIB = 1024 * 1024
ENTRIES = 100_000
PAGES = 20
LONG_HEADER = b"X-Long: " + b"x" * 8000 + b"\r\n"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """An execution environment with a workspace `local/demo`."""
    directory = tmp_path_factory.mktemp("bounds")
    service = execution_environment(
        directory, EXEC_ENV_WORKSPACE_QUOTA="4GiB", EXEC_ENV_WORKSPACE_ENTRIES="1000000"
    ).start()
    service.demo = directory / "data/workspaces/local/demo"
    service.demo.mkdir(parents=True)
    yield service
    assert service.stop() == 0
    assert not list((directory / "data/state/staging").glob("*/*"))


@pytest.fixture
async def http(service):
    """A client of it."""
    async with httpx.AsyncClient(
        base_url=service.url, headers=AUTH, timeout=120, trust_env=False
    ) as client:
        yield client


@pytest.fixture
def told(capsys):
    """Print a figure."""

    def tell(text):
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return tell


async def call(http, tool, _timeout=60, **arguments):
    """Make a tool call."""
    context = {
        "request_id": "req_bounds", "user_id": "local", "timeout": _timeout,
        "request_source": {"kind": "internal"}, "allowed_paths_root": "local/demo",
    }  # fmt: skip
    body = {"id": os.urandom(8).hex(), "fence": 0, "tool": tool, "arguments": arguments}
    return await http.post("/v1/tool-calls", json=body | {"context": context})


def peak(service) -> float:
    """Return the most memory that the service has used, in MiB."""
    for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


async def test_a_gibibyte_goes_in_and_out_with_flat_memory(service, http, told):
    """1 GiB up and down, hashed on the way; the service grows by a few chunks at most."""
    piece, count = os.urandom(MIB), 1024
    digest = hashlib.sha256()

    async def pieces():
        for _ in range(count):
            digest.update(piece)
            yield piece

    await http.put("/v1/files/local/demo/small", content=b"1")
    before, started = peak(service), time.monotonic()
    answer = await http.put("/v1/files/local/demo/big", content=pieces())
    up = time.monotonic() - started
    assert answer.status_code == 201, answer.text
    assert answer.json()["output"] == {"size": count * MIB, "sha256": digest.hexdigest()}
    got, started = hashlib.sha256(), time.monotonic()
    async with http.stream("GET", "/v1/files/local/demo/big") as download:
        async for chunk in download.aiter_raw():
            got.update(chunk)
    down = time.monotonic() - started
    assert got.hexdigest() == digest.hexdigest()
    grown = peak(service) - before
    told(f"1 GiB up in {up:.1f} s, down in {down:.1f} s; memory grew by {grown:.0f} MiB")
    assert grown < 64
    await call(http, "delete_path", path="big")


async def test_a_file_that_shrinks_under_a_download_ends_the_connection(service, http):
    """Fewer bytes than announced must not be taken for the file, nor for the next answer."""
    (service.demo / "shrinks").write_bytes(b"x" * 64 * MIB)

    async def get():
        async with http.stream("GET", "/v1/files/local/demo/shrinks") as download:
            async for _ in download.aiter_raw():
                os.truncate(service.demo / "shrinks", 1000)

    with pytest.raises(httpx.RemoteProtocolError):
        await get()
    assert (await http.get("/health/live")).status_code == 200


async def test_a_sparse_terabyte_is_skipped_or_left_at_the_deadline(service, http, told):
    """Nothing reads it into memory, and nothing reads it for ever."""
    with (service.demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    searched = (await call(http, "search_files", 2, path="sparse", pattern="x")).json()
    started = time.monotonic()
    answers = await asyncio.gather(
        call(http, "read_file", 2, path="sparse"),
        call(http, "edit_file", 2, path="sparse", edits=[{"old_text": "a", "new_text": "b"}]),
        call(http, "copy_path", 2, source="sparse", destination="copy"),
        call(http, "append_file", 2, path="sparse", content="x"),
    )
    taken = time.monotonic() - started
    refused = [answer.json() for answer in answers]
    assert [answer["code"] for answer in refused] == ["deadline_exceeded"] * 4
    assert {answer["outcome"] for answer in refused} == {"not_executed"}
    assert searched["output"]["files_skipped"] == 1
    told(f"four tools on a sparse TiB: {taken:.1f} s at a deadline of 2 s, {peak(service):.0f} MiB")
    assert taken < 20
    (service.demo / "sparse").unlink()


async def test_fifos_that_nobody_writes_hold_nobody_up(service, http, told):
    """64 reads at once, each refused within a second; health answers meanwhile."""
    os.mkfifo(service.demo / "fifo")

    async def read():
        started = time.monotonic()
        answer = await call(http, "read_file", path="fifo")
        return answer.json()["code"], time.monotonic() - started

    reads = [asyncio.create_task(read()) for _ in range(64)]
    assert (await http.get("/health/live")).status_code == 200
    outcomes = await asyncio.gather(*reads)
    slowest = max(taken for _, taken in outcomes)
    assert {code for code, _ in outcomes} == {"unsupported_file"}
    told(f"64 reads of a FIFO: the slowest was refused after {slowest:.2f} s")
    (service.demo / "fifo").unlink()


@pytest.mark.timeout(300)  # two million looks at entries, and others work beside it
async def test_a_hundred_thousand_entries_are_listed_once_and_in_order(service, http, told):
    """Page by page; each page looks at the directory, none holds up the service."""
    crowd = service.demo / "crowd"
    crowd.mkdir()
    for number in range(ENTRIES):
        (crowd / f"{number:06d}").touch()
    seen, cursor, started, pages = [], None, time.monotonic(), 0
    while True:
        arguments = {"path": "crowd", "limit": 1000} | ({"cursor": cursor} if cursor else {})
        output = (await call(http, "list_directory", **arguments)).json()["output"]
        seen += [entry["path"] for entry in output["entries"]]
        cursor, pages = output["next_cursor"], pages + 1
        if cursor is None or pages == PAGES:
            break
    page = (time.monotonic() - started) / pages
    assert seen == [f"crowd/{number:06d}" for number in range(len(seen))]
    started = time.monotonic()
    deleted = await call(http, "delete_path", path="crowd", recursive=True)
    gone = time.monotonic() - started
    assert deleted.json()["output"] == {"deleted": ENTRIES + 1}
    told(f"{ENTRIES} entries: {page:.2f} s a page of 1,000; deleted in {gone:.1f} s")
    staging = service.demo.parents[2] / "state/staging"
    await asyncio.to_thread(wait_until, lambda: not list(staging.glob("*/*")), 60)


async def test_a_tree_deeper_than_any_path_can_be_walked_and_deleted(service, http, told):
    """In constant descriptors and stack, where recursion fails at a thousand."""
    top = os.open(service.demo, os.O_RDONLY)
    current = os.dup(top)
    for _ in range(5000):
        os.mkdir("d", dir_fd=current)
        below = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)
    os.close(top)
    started = time.monotonic()
    found = await call(http, "search_files", pattern="x")
    deleted = await call(http, "delete_path", path="d", recursive=True)
    taken = time.monotonic() - started
    assert (found.status_code, deleted.status_code) == (200, 200), (found.text, deleted.text)
    told(f"a tree of depth 5,000: walked and deleted in {taken:.1f} s")
    staging = service.demo.parents[2] / "state/staging"
    await asyncio.to_thread(wait_until, lambda: not list(staging.glob("*/*")), 60)


async def test_headers_that_never_end_do(service):
    """Ten seconds for them, and 64 KiB; whoever takes longer is dropped."""
    with socket.create_connection(("127.0.0.1", service.port)) as slow:
        slow.settimeout(30)
        slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        with socket.create_connection(("127.0.0.1", service.port)) as long:
            long.settimeout(30)
            assert _is_dropped(long, b"GET / HTTP/1.1\r\n", *[LONG_HEADER] * 100)
        assert await asyncio.to_thread(_is_dropped, slow)


def _is_dropped(connection: socket.socket, *pieces: bytes) -> bool:
    try:
        for piece in pieces:
            connection.sendall(piece)
        return connection.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def test_the_limit_on_descriptors_is_raised(service):
    """As far as the system allows: each connection and each file takes one."""
    soft, hard = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard
