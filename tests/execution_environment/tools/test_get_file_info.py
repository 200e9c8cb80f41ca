"""get_file_info: what is known of a path."""

from tests.execution_environment.conftest import sha


async def test_get_file_info_tells_type_mode_and_hash(call, demo):
    """Directories have no hash."""
    (demo / "x").write_text("1")
    (demo / "x").chmod(0o600)
    info = (await call("get_file_info", path="x")).output
    assert (info["type"], info["mode"], info["sha256"]) == ("file", "0600", sha(b"1"))
    assert (await call("get_file_info", path=".")).output["sha256"] is None
