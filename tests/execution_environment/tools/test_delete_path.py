"""delete_path: what goes, and how it is counted."""

import sqlite3
from contextlib import closing

from tests.execution_environment.conftest import refusal, taken_up, tool_call, usage_of


async def test_delete_path_counts_a_tree_that_grew_while_it_waited_as_it_went(
    assemble, call, data_dir, demo
):
    """Measured before it had the lock, what came meanwhile went with it and stayed counted."""
    (demo / "tree/deep").mkdir(parents=True)
    await call("write_file", path="x", content="1")
    steps = []

    def come_first(step):
        steps.append(step)
        if step == "recovered":  # the lock was just taken: this is what another process did with it
            (demo / "tree/deep/y").write_text("y" * 1000)
            with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
                ledger.execute("UPDATE usage SET size = size + 1000, entries = entries + 1")

    parts = assemble(observe=come_first)
    await parts.executor.run(tool_call("delete_path", path="tree", recursive=True))
    await parts.close()
    assert steps.count("recovered") == 1
    assert usage_of(data_dir) == taken_up(data_dir) == (1, 1)


async def test_delete_path_deletes_a_link_itself_and_never_what_it_points_to(call, demo, outside):
    """Also where it leads out, or nowhere, and within a tree."""
    (demo / "tree").mkdir()
    (demo / "file").write_text("kept")
    for name, target in (("link", "file"), ("tree/out", outside), ("dangling", "nope")):
        (demo / name).symlink_to(target)
    for path in ("link", "dangling"):
        assert (await call("delete_path", path=path)).output["deleted"] == 1
    assert (await call("delete_path", path="tree", recursive=True)).output["deleted"] == 2
    assert [path.name for path in demo.iterdir()] == ["file"]
    assert (demo / "file").read_text() == "kept"
    assert [path.name for path in outside.iterdir()] == ["canary.txt"]


async def test_delete_path_of_a_directory_that_is_not_empty_has_to_be_recursive(call, demo):
    """A tree goes with all that is in it, so it has to be said."""
    (demo / "tree").mkdir()
    (demo / "tree" / "file").write_text("1")
    assert (await refusal(call("delete_path", path="tree"))).code == "directory_not_empty"
    wrong = {"path": "tree/file", "expected_sha256": "0" * 64}
    assert (await refusal(call("delete_path", **wrong))).code == "hash_mismatch"
    assert (demo / "tree" / "file").exists()
    assert (await call("delete_path", path="tree", recursive=True)).output["deleted"] == 2
    assert list(demo.iterdir()) == []
