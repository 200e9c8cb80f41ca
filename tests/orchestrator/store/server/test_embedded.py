"""The embedded server: private, its owner's alone, and clear when it cannot start."""

import asyncio
import os
import signal
import stat
import sys
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.server.embedded import EmbeddedServerError, embedded_server
from orchestrator.store.store import open_store
from tests.orchestrator.fakes import until


async def test_embedded_server_keeps_its_data_behind_a_private_socket(tmp_path):
    """Over restarts, in a directory whose name has a space; nothing listens on TCP."""
    directory = tmp_path / "a directory"
    for expected in (None, b"kept"):
        async with embedded_server(directory) as server:
            redis = Redis.from_url(server.url)
            assert await redis.get("key") == expected
            await redis.set("key", "kept", ex=60)
            assert (await redis.config_get("port"))["port"] == "0"
            await redis.aclose()
            socket = Path(server.url.removeprefix("unix://"))
            assert stat.S_IMODE(socket.stat().st_mode) == 0o700
            assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


async def test_embedded_server_is_its_owners_alone(tmp_path):
    """A second orchestrator that used it too lost its store when the first one ended."""
    async with embedded_server(tmp_path) as server:
        with pytest.raises(EmbeddedServerError, match="another orchestrator keeps its store in"):
            async with embedded_server(tmp_path, patience=0.1):
                pytest.fail("it is used by two")
        redis = Redis.from_url(server.url)
        assert await redis.ping()
        await redis.aclose()
    async with embedded_server(tmp_path, patience=0.1) as again:
        assert again.url == server.url


async def test_embedded_server_ends_with_an_owner_that_is_killed(tmp_path):
    """It served on without control; whoever comes next waits for its end, and has all its data."""
    code = (
        "import asyncio, pathlib, sys\n"
        "from redis.asyncio import Redis\n"
        "from orchestrator.store.server.embedded import embedded_server\n"
        "async def main():\n"
        "    async with embedded_server(pathlib.Path(sys.argv[1])) as server:\n"
        "        await Redis.from_url(server.url).set('key', 'kept', ex=60)\n"
        "        print('kept', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert await owner.stdout.readline() == b"kept\n"
    owner.kill()
    await owner.wait()
    async with embedded_server(tmp_path, patience=20) as server:
        redis = Redis.from_url(server.url)
        assert await redis.get("key") == b"kept"
        await redis.aclose()
    assert (tmp_path / "server.log").read_text().count("ready to exit, bye bye") == 2


async def test_embedded_server_whose_lock_was_removed_is_left_alone(tmp_path):
    """People delete what looks like a stale lock; two servers would ruin each other's file."""
    async with embedded_server(tmp_path):
        (tmp_path / "owner.lock").unlink()
        with pytest.raises(EmbeddedServerError, match="that nobody owns: end it"):
            async with embedded_server(tmp_path):
                pytest.fail("there are two")


async def test_embedded_server_that_dies_is_started_again_with_its_data(tmp_path):
    """The same socket, and all that it had answered for; nobody else gets in meanwhile."""
    async with embedded_server(tmp_path) as server:
        keeping = asyncio.create_task(server.keep())
        async with open_store(server.url, "test", StoreConfig()) as store:
            made = await store.sessions.create("ann", "w", {}, None)
            redis = Redis.from_url(server.url)
            os.kill((await redis.info("server"))["process_id"], signal.SIGKILL)
            await redis.aclose()
            await until(partial(_is_there, store, made))
            with pytest.raises(EmbeddedServerError, match="another orchestrator"):
                async with embedded_server(tmp_path, patience=0.1):
                    pytest.fail("it is used by two")
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert (tmp_path / "server.log").read_text().count("Ready to accept connections") == 2


async def _is_there(store, session):
    try:
        return await store.sessions.get(session.id, "ann") == session
    except StoreUnavailable:
        return False


async def test_embedded_server_refuses_a_directory_that_others_can_enter(tmp_path, monkeypatch):
    """Somebody else could have put a socket there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    async with embedded_server(tmp_path / "data"):
        pass
    [private] = tmp_path.glob("agentic-*")
    private.chmod(0o755)
    with pytest.raises(EmbeddedServerError, match="mode 700"):
        async with embedded_server(tmp_path / "data"):
            pass


async def test_embedded_server_that_does_not_start_points_at_its_log(tmp_path):
    """A data file that cannot be read."""
    (tmp_path / "appendonlydir").write_text("in the way")
    with pytest.raises(EmbeddedServerError, match=r"server\.log"):
        async with embedded_server(tmp_path):
            pass
    assert (tmp_path / "server.log").read_text()


async def test_embedded_server_takes_a_path_too_long_for_a_socket(tmp_path):
    """The socket lies in a short directory of its own."""
    async with embedded_server(tmp_path / ("x" * 200)) as server:
        assert len(server.url) < 100
