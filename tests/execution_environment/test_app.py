"""The service as a whole: whether it is ready, and a start that cannot be."""

import pytest

from execution_environment.app import main


async def test_ready_names_the_guard_and_fails_without_a_disk(client, tmp_path):
    """Live says nothing about the disk."""
    assert (await client.get("/health/ready")).json()["facts"] == {"guards": ["openat2"]}
    [staging] = (tmp_path / "data/state/staging").iterdir()
    staging.rmdir()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await client.get("/health/live")).status_code == 200
    staging.mkdir()


def test_a_data_directory_that_cannot_be_used_ends_the_start(tmp_path, monkeypatch):
    """One clear line, no traceback."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXEC_ENV_DATA_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("EXEC_ENV_SERVICE_TOKEN", "secret")
    with pytest.raises(SystemExit, match="cannot be used"):
        main()
