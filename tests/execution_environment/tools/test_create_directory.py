"""create_directory: with those that lead to it."""

from tests.execution_environment.conftest import refusal


async def test_create_directory_makes_those_above_as_well(call, demo):
    """Once; the second time nothing changes."""
    made = (await call("create_directory", path="a/b/c")).receipts
    assert [receipt.path for receipt in made] == ["a/b/c", "a", "a/b"]
    assert (demo / "a/b/c").is_dir()
    assert (await call("create_directory", path="a/b")).receipts == []
    error = await refusal(call("create_directory", path="a/b", exist_ok=False))
    assert (error.code, error.context.errno) == ("already_exists", "EEXIST")
    (demo / "f").touch()
    assert (await refusal(call("create_directory", path="f"))).code == "not_a_directory"
