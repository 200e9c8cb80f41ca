"""read_files: several files in one call."""

from tests.execution_environment.conftest import MIB


async def test_read_files_is_bounded_in_bytes(call, demo):
    """A character of three bytes counts three."""
    for number in range(4):
        (demo / f"f{number}").write_text("€" * (MIB // 6))
    output = (await call("read_files", paths=[f"f{number}" for number in range(4)])).output
    sizes = [len(item["content"].encode()) for item in output["files"]]
    assert sizes[:2] == [MIB // 6 * 3] * 2
    assert sum(sizes) <= MIB
