"""What was approved is what happens: a call that expects receipts is made with those, or not at all."""

import pytest

from common.errors import AgenticError
from tests.execution_environment.conftest import refusal, sha, tool_call


@pytest.fixture
def files(demo):
    """Some files to change, and a directory with something in it."""
    (demo / "x").write_text("old\n")
    (demo / "tree/deep").mkdir(parents=True)
    (demo / "tree/deep/y").write_text("y\n")
    (demo / "tree/link").symlink_to("deep/y")
    return demo


CHANGES = {
    "a new file": ("write_file", {"path": "new", "content": "n\n", "mode": "upsert"}),
    "a new file in a new directory": ("write_file", {"path": "a/b/new", "content": "n\n"}),
    "another content": ("write_file", {"path": "x", "content": "n\n", "mode": "upsert"}),
    "an edit": ("edit_file", {"path": "x", "edits": [{"old_text": "old", "new_text": "new"}]}),
    "more": ("append_file", {"path": "x", "content": "more\n"}),
    "a file's end": ("delete_path", {"path": "x"}),
    "a tree's end": ("delete_path", {"path": "tree", "recursive": True}),
    "a file's move": ("move_path", {"source": "x", "destination": "z"}),
    "a tree's move": ("move_path", {"source": "tree", "destination": "wood"}),
    "a file's copy": ("copy_path", {"source": "x", "destination": "z", "overwrite": True}),
    "a tree's copy": ("copy_path", {"source": "tree", "destination": "wood"}),
}
MEANWHILE = {
    "a new file": {"new": "somebody's"},
    "a new file in a new directory": {"a/b/new": "somebody's"},
    "another content": {"x": "somebody's"},
    "an edit": {"x": "old\nsomebody's\n"},
    "more": {"x": "old\nsomebody's\n"},
    "a file's end": {"x": "somebody's"},
    "a tree's end": {"tree/deep/z": "somebody's"},
    "a file's move": {"z": "somebody's"},
    "a tree's move": {"tree/deep/y": "somebody's"},
    "a file's copy": {"z": "somebody's"},
    "a tree's copy": {"tree/deep/y": "somebody's"},
}


async def previewed(executor, tool, arguments):
    """Return the receipts that a dry run gives, of somebody who may only read."""
    dry_run = tool_call(tool, {"access": "read_only"}, _dry_run=True, **arguments)
    return (await executor.run(dry_run)).receipts


def pinned(receipts, tool, arguments, call_id="approved"):
    """Return the call that has to have these receipts."""
    call = tool_call(tool, _id=call_id, **arguments)
    return call.model_copy(update={"expected": receipts})


def contents(demo):
    """Return what the workspace's files hold."""
    return {path: path.read_bytes() for path in sorted(demo.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("tool", "arguments"), CHANGES.values(), ids=CHANGES)
async def test_a_change_is_made_as_it_was_previewed(executor, files, tool, arguments):
    """The same receipts, and the same answer when it comes again: by then the files are others."""
    receipts = await previewed(executor, tool, arguments)
    call = pinned(receipts, tool, arguments)
    assert (await executor.run(call)).receipts == receipts
    assert (await executor.run(call)).replayed


@pytest.mark.parametrize("name", CHANGES)
async def test_what_came_meanwhile_is_never_overwritten(executor, files, name):
    """Also where nothing was, and within a directory, whose own identity stays as it was."""
    tool, arguments = CHANGES[name]
    receipts = await previewed(executor, tool, arguments)
    for path, content in MEANWHILE[name].items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_text(content)
    before = contents(files)
    error = await refusal(executor.run(pinned(receipts, tool, arguments)))
    assert (error.code, error.outcome) == ("changed_since_preview", "not_executed")
    assert contents(files) == before


@pytest.mark.parametrize("name", CHANGES)
async def test_what_comes_while_the_call_waits_for_its_lock_counts_too(assemble, files, name):
    """It is compared under the lock: another process had that until a moment ago."""
    tool, arguments = CHANGES[name]
    come = []

    def come_first(step):
        if step == "recovered" and come:
            path, content = come.pop()
            (files / path).parent.mkdir(parents=True, exist_ok=True)
            (files / path).write_text(content)

    parts = assemble(observe=come_first)
    receipts = await previewed(parts.executor, tool, arguments)
    come += MEANWHILE[name].items()
    error = await refusal(parts.executor.run(pinned(receipts, tool, arguments)))
    await parts.close()
    assert (error.code, come) == ("changed_since_preview", [])


async def test_error_of_a_changed_file_names_it_and_its_hash(executor, files):
    """So that whoever asks anew can say what happened."""
    tool, arguments = CHANGES["another content"]
    receipts = await previewed(executor, tool, arguments)
    (files / "x").write_text("somebody's")
    error = await refusal(executor.run(pinned(receipts, tool, arguments)))
    assert (error.context.path, error.context.current_sha256) == ("x", sha(b"somebody's"))


async def test_a_directory_on_the_way_may_be_there_by_now(executor, files):
    """Two files of one turn in a new directory were both previewed with it."""
    tool, arguments = CHANGES["a new file in a new directory"]
    receipts = await previewed(executor, tool, arguments)
    (files / "a/b").mkdir(parents=True)
    await executor.run(pinned(receipts, tool, arguments))
    assert (files / "a/b/new").read_text() == "n\n"


async def test_who_may_only_read_may_see_what_a_change_would_do_and_not_do_it(executor, files):
    """The execution environment refuses it itself: nobody has to trust its callers for that."""
    tool, arguments = CHANGES["another content"]
    assert await previewed(executor, tool, arguments)
    error = await refusal(executor.run(tool_call(tool, {"access": "read_only"}, **arguments)))
    assert error.code == "permission_denied"
    assert (files / "x").read_text() == "old\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "deep/y").write_text("Y\n"),
        lambda tree: (tree / "deep/y").chmod(0o600),
        lambda tree: (tree / "deep/y").rename(tree / "y"),
        lambda tree: (tree / "new").mkdir(),
        lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("deep")),
    ],
    ids=["content", "mode", "place", "directory", "link"],
)
async def test_hash_of_a_tree_tells_every_change_in_it(executor, files, change):
    """And stays as it is while nothing changes."""
    asked = "delete_path", {"path": "tree", "recursive": True}
    [before] = await previewed(executor, *asked)
    assert [before] == await previewed(executor, *asked)
    change(files / "tree")
    [after] = await previewed(executor, *asked)
    assert before.tree_sha256 != after.tree_sha256


async def test_a_tree_is_not_read_for_a_call_that_expects_nothing(call, files):
    """Its hash takes reading all of it."""
    receipts = (await call("delete_path", path="tree", recursive=True)).receipts
    assert [receipt.tree_sha256 for receipt in receipts] == [None]


async def test_expectations_are_no_part_of_what_an_id_stands_for(executor, files):
    """What has happened under it is the answer, whatever the repetition expects."""
    tool, arguments = CHANGES["another content"]
    receipts = await previewed(executor, tool, arguments)
    await executor.run(pinned(receipts, tool, arguments))
    assert (await executor.run(pinned([], tool, arguments))).replayed
    with pytest.raises(AgenticError):
        await executor.run(pinned([], "write_file", {"path": "x", "content": "other"}))


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("create_directory", {"path": "a/b"}), *CHANGES.values()],
    ids=["a new directory", *CHANGES],
)
async def test_call_that_was_to_change_nothing_changes_nothing(executor, files, tool, arguments):
    """Nobody was asked, as its preview had no change: by now it would have one, if only a directory."""
    before = sorted(files.rglob("*")), contents(files)
    error = await refusal(executor.run(pinned([], tool, arguments)))
    assert (error.code, error.outcome) == ("changed_since_preview", "not_executed")
    assert error.context.path is not None
    assert (sorted(files.rglob("*")), contents(files)) == before


async def test_call_that_was_to_change_nothing_succeeds_while_it_does(executor, files):
    """As its preview has: the directory is there already, and the file holds this."""
    for tool, arguments in (
        ("create_directory", {"path": "tree/deep"}),
        ("write_file", {"path": "x", "content": "old\n", "mode": "upsert"}),
    ):
        assert await previewed(executor, tool, arguments) == []
        assert (await executor.run(pinned([], tool, arguments, call_id=tool))).receipts == []


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("delete_path", {"path": "nowhere"}, "path_not_found"),
        ("write_file", {"path": "x", "content": "n", "mode": "create"}, "already_exists"),
        (
            "edit_file",
            {"path": "x", "edits": [{"old_text": "no", "new_text": ""}]},
            "text_not_found",
        ),
    ],
)
async def test_call_whose_preview_failed_fails_with_its_own_error(
    executor, files, tool, arguments, code
):
    """A planner can act on that; that something has changed would be untrue."""
    error = await refusal(executor.run(pinned([], tool, arguments)))
    assert (error.code, error.outcome) == (code, "not_executed")
