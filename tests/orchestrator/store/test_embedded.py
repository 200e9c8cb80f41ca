"""The embedded server: private, adopted when it runs already, and clear when it cannot start."""

import stat
from pathlib import Path

import pytest
from redis.asyncio import Redis

from orchestrator.store.embedded import EmbeddedServerError, embedded_server


async def test_data_is_kept_and_the_socket_is_private(tmp_path):
    """Over restarts, in a directory whose name has a space; nothing listens on TCP."""
    directory = tmp_path / "a directory"
    for expected in (None, b"kept"):
        async with embedded_server(directory) as url:
            redis = Redis.from_url(url)
            assert await redis.get("key") == expected
            await redis.set("key", "kept", ex=60)
            assert (await redis.config_get("port"))["port"] == "0"
            await redis.aclose()
            socket = Path(url.removeprefix("unix://"))
            assert stat.S_IMODE(socket.stat().st_mode) == 0o700
            assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


async def test_a_server_that_runs_already_is_adopted_and_left_running(tmp_path):
    """Its starter may have been killed, or be another process."""
    async with embedded_server(tmp_path) as url:
        async with embedded_server(tmp_path) as adopted:
            assert adopted == url
        redis = Redis.from_url(url)
        assert await redis.ping()
        await redis.aclose()


async def test_a_directory_that_others_can_enter_is_refused(tmp_path, monkeypatch):
    """Somebody else could have put a socket there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    async with embedded_server(tmp_path / "data"):
        pass
    [private] = tmp_path.glob("agentic-*")
    private.chmod(0o755)
    with pytest.raises(EmbeddedServerError, match="mode 700"):
        async with embedded_server(tmp_path / "data"):
            pass


async def test_a_server_that_does_not_start_points_at_its_log(tmp_path):
    """A data file that cannot be read."""
    (tmp_path / "appendonlydir").write_text("in the way")
    with pytest.raises(EmbeddedServerError, match=r"server\.log"):
        async with embedded_server(tmp_path):
            pass
    assert (tmp_path / "server.log").read_text()


async def test_a_path_too_long_for_a_socket_is_no_problem(tmp_path):
    """The socket lies in a short directory of its own."""
    async with embedded_server(tmp_path / ("x" * 200)) as url:
        assert len(url) < 100
