"""move_path: from one place to another."""

import os

from tests.execution_environment.conftest import taken_up, usage_of


async def test_move_path_onto_a_twin_leaves_no_old_name(call, demo, data_dir):
    """rename(2) does nothing when both names are links to one file; a move still is one."""
    (demo / "a").write_text("same")
    os.link(demo / "a", demo / "b")
    result = await call("move_path", source="a", destination="b", overwrite=True)
    assert (os.listdir(demo), (demo / "b").read_text()) == (["b"], "same")
    assert [item.path for item in result.receipts] == ["a", "b"]
    assert usage_of(data_dir) == taken_up(data_dir) == (4, 1)
