"""move_path: from one place to another."""

import os

from tests.execution_environment.conftest import refusal, taken_up, usage_of


async def test_move_path_onto_a_twin_leaves_no_old_name(call, demo, data_dir):
    """rename(2) does nothing when both names are links to one file; a move still is one."""
    (demo / "a").write_text("same")
    os.link(demo / "a", demo / "b")
    result = await call("move_path", source="a", destination="b", overwrite=True)
    assert (os.listdir(demo), (demo / "b").read_text()) == (["b"], "same")
    assert [item.path for item in result.receipts] == ["a", "b"]
    assert usage_of(data_dir) == taken_up(data_dir) == (4, 1)


async def test_move_path_takes_a_whole_tree_along_links_included(call, demo):
    """Unlike a copy nothing is left out: it is one rename."""
    (demo / "tree" / "sub").mkdir(parents=True)
    (demo / "tree" / "sub" / "file").write_text("1")
    (demo / "tree" / "link").symlink_to("sub/file")
    result = await call("move_path", source="tree", destination="a/b")
    assert result.output == {"skipped": []}
    assert sorted(str(path.relative_to(demo)) for path in demo.rglob("*")) == [
        "a", "a/b", "a/b/link", "a/b/sub", "a/b/sub/file",
    ]  # fmt: skip
    assert [(item.path, item.operation) for item in result.receipts] == [
        ("tree", "move"), ("a/b", "move"), ("a", "create"),
    ]  # fmt: skip


async def test_move_path_replaces_a_file_only_when_asked_to(call, demo):
    """What is lost otherwise is lost for good."""
    for name in ("a", "b"):
        (demo / name).write_text(name)
    move = {"source": "a", "destination": "b"}
    assert (await refusal(call("move_path", **move))).code == "already_exists"
    assert ((demo / "a").read_text(), (demo / "b").read_text()) == ("a", "b")
    await call("move_path", overwrite=True, **move)
    assert [(path.name, path.read_text()) for path in demo.iterdir()] == [("b", "a")]
