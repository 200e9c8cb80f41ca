"""Where a workspace's paths lie, and what may have been meant by one that is missing."""

from tests.execution_environment.conftest import refusal


async def test_a_missing_path_suggests_what_was_meant(call, demo):
    """The usual mistake is a typo."""
    (demo / "src").mkdir()
    (demo / "src/main.py").touch()
    error = await refusal(call("read_file", path="src/mian.py"))
    assert (error.code, error.context.errno) == ("path_not_found", "ENOENT")
    assert error.hint == "Did you mean 'src/main.py'?"
