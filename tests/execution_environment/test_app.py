"""The service as a whole: whether it is ready, and a start that cannot be."""

import resource

import pytest

from execution_environment.app import _prepare, main
from execution_environment.archives.hash_cache import HASHES
from execution_environment.settings import Settings


async def test_ready_names_the_guard_and_fails_without_a_disk(client, tmp_path):
    """Live says nothing about the disk."""
    assert (await client.get("/health/ready")).json()["facts"] == {"guards": ["openat2"]}
    [staging] = (tmp_path / "data/state/staging").iterdir()
    staging.rmdir()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await client.get("/health/live")).status_code == 200
    staging.mkdir()


async def test_ready_tries_a_write_as_long_as_the_next_call_may_need(client):
    """On a full volume it was ready, and every call failed: a file's longest size stands for it here."""
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, allowed[1]))
    try:
        answer = await client.get("/health/ready")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The data directory cannot be written: File too large"
    assert (await client.get("/health/ready")).status_code == 200


async def test_ready_refuses_a_wrong_token(client):
    """The orchestrator shows its own, and learns here that it is the wrong one."""
    wrong = await client.get("/health/ready", headers={"Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthenticated")
    none = client.build_request("GET", "/health/ready")
    none.headers.pop("Authorization", None)
    assert (await client.send(none)).status_code == 200


def test_a_data_directory_that_cannot_be_used_ends_the_start(tmp_path, monkeypatch):
    """One clear line, no traceback."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXEC_ENV_DATA_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("EXEC_ENV_SERVICE_TOKEN", "secret")
    with pytest.raises(SystemExit, match="cannot be used"):
        main()


def test_each_start_begins_without_the_hashes_of_the_one_before(tmp_path):
    """After a power cut a file may lack its last write, and still look as it did with it."""
    settings = Settings(data_dir=tmp_path, service_token="secret", landlock="off")
    _prepare(settings)
    (tmp_path / "state" / HASHES).write_bytes(b"1")
    _prepare(settings)
    assert not (tmp_path / "state" / HASHES).exists()
