"""list_directory: names as they are and as they can be used, page by page."""

import os

from tests.execution_environment.conftest import refusal


async def test_list_directory_is_ordered_by_bytes_and_paged(call, demo):
    """The same order on every machine; nothing twice, nothing missing."""
    for name in ("b", "B", "ä", "a-1"):
        (demo / name).touch()
    (demo / "a").mkdir()
    (demo / "a/z").touch()
    paths, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        output = (await call("list_directory", depth=2, limit=2, **more)).output
        paths += [entry["path"] for entry in output["entries"]]
        cursor = output["next_cursor"]
        if cursor is None:
            break
    assert paths == ["B", "a", "a-1", "a/z", "b", "ä"]


async def test_list_directory_takes_an_empty_cursor_for_none(call, demo):
    """A small model wrote one, was told of a path that is not allowed, and could do nothing with it."""
    (demo / "a").touch()
    [entry] = (await call("list_directory", cursor="")).output["entries"]
    assert entry["path"] == "a"


async def test_list_directory_shows_links_and_specials_as_what_they_are(call, demo):
    """One can see them, and not use them."""
    (demo / "link").symlink_to("/etc/passwd")
    os.mkfifo(demo / "fifo")
    output = (await call("list_directory")).output
    assert {entry["path"]: entry["type"] for entry in output["entries"]} == {
        "fifo": "other",
        "link": "symlink",
    }


async def test_list_directory_shows_names_that_cannot_be_printed_as_they_can_be_used(call, demo):
    """A name is bytes; what a listing shows can be given back."""
    (demo / os.fsdecode(b"\xff\n\\")).write_text("odd")
    [entry] = (await call("list_directory")).output["entries"]
    assert entry["path"] == "\\xff\\x0a\\\\"
    assert (await call("read_file", path=entry["path"])).output["content"] == "odd"


async def test_a_workspace_that_was_never_written_is_empty(call):
    """The first change makes it."""
    new = {"allowed_paths_root": "local/new"}
    assert (await call("list_directory", new)).output["entries"] == []
    assert (await refusal(call("read_file", new, path="x"))).code == "path_not_found"
    await call("write_file", new, path="x", content="1", create_parents=False)
    assert (await call("read_file", new, path="x")).output["content"] == "1"
