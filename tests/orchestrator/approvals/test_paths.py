"""The paths that a call touches: each tool says which, and they are read as it reads them."""

import pytest

from common.errors import ToolError
from common.files.paths import parse
from common.tools import SHALLOW, TOUCHES
from execution_environment.calls.registry import discover
from orchestrator.approvals.paths import EVERYTHING, Touched, touched_by

TOOLS = {name: tool.spec for name, tool in discover().items()}
NO_PATHS = {
    "apply_patch": {"expected_sha256"},
    "delete_path": {"recursive", "expected_sha256"},
    "edit_file": {"edits", "expected_sha256"},
    "append_file": {"content", "encoding", "create", "expected_sha256"},
    "create_directory": {"exist_ok"},
    "find_files": {"glob", "type", "limit", "cursor"},
    "list_directory": {"depth", "limit", "cursor"},
    "copy_path": {"overwrite"},
    "move_path": {"overwrite"},
    "get_file_info": {"hash"},
    "read_file": {"start_line", "max_lines", "offset", "max_bytes", "encoding", "hash"},
    "read_files": {"start_line", "max_lines", "offset", "max_bytes", "encoding", "hash"},
    "search_files": {"pattern", "glob", "literal", "ignore_case", "context", "limit"},
    "write_file": {"content", "encoding", "mode", "expected_sha256", "create_parents"},
}
"""Arguments that name no place: a glob is about what lies in `path`, a hash's key is in the patch."""


def touched(tool, **arguments):
    """Return what a call touches, a tree with a slash at its end."""
    return [
        b"/".join(it.parts).decode() + "/" * it.is_tree for it in touched_by(TOOLS[tool], arguments)
    ]


@pytest.mark.parametrize("name", TOOLS)
def test_tool_says_of_each_argument_that_names_a_place(name):
    """Who adds a tool, or an argument, has to say here or there which it is: rules would miss it."""
    properties = TOOLS[name].arguments_schema["properties"]
    silent = {argument for argument, schema in properties.items() if TOUCHES not in schema}
    assert silent <= NO_PATHS.get(name, set())
    assert silent != set(properties)


@pytest.mark.parametrize("name", TOOLS)
def test_what_makes_a_tree_shallow_is_an_argument_of_the_tool(name):
    """A misspelt one would be missing in every call, and so no default either."""
    properties = TOOLS[name].arguments_schema["properties"]
    told = [schema.get(SHALLOW, {}) for schema in properties.values()]
    assert all("default" in properties[argument] for shallow in told for argument in shallow)


@pytest.mark.parametrize(
    ("tool", "arguments", "places"),
    [
        ("read_file", {"path": "./a//b/"}, ["a/b"]),
        ("read_files", {"paths": ["a", "./b", "c/d"]}, ["a", "b", "c/d"]),
        ("search_files", {"pattern": "x"}, ["/"]),
        ("search_files", {"pattern": "x", "path": "a"}, ["a/"]),
        ("find_files", {"glob": "*"}, ["/"]),
        ("list_directory", {}, [""]),
        ("list_directory", {"path": "a", "depth": 1}, ["a"]),
        ("list_directory", {"path": "a", "depth": 2}, ["a/"]),
        ("list_directory", {"path": "a", "depth": "1"}, ["a/"]),
        ("delete_path", {"path": "a"}, ["a"]),
        ("delete_path", {"path": "a", "recursive": False}, ["a"]),
        ("delete_path", {"path": "a", "recursive": True}, ["a/"]),
        ("delete_path", {"path": "a", "recursive": "false"}, ["a/"]),
        ("move_path", {"source": "a", "destination": "b/c"}, ["a/", "b/c/"]),
        ("copy_path", {"source": "./a", "destination": "b"}, ["a/", "b/"]),
    ],
)
def test_call_touches_what_it_names(tool, arguments, places):
    """With all that lies there, where its tool goes down; what is left out has its default."""
    assert touched(tool, **arguments) == places


HUNK = "@@ -1 +1 @@\n-a\n+b\n"
NEW = "@@ -0,0 +1 @@\n+a\n"
GONE = "@@ -1 +0,0 @@\n-a\n"


@pytest.mark.parametrize(
    ("patch", "places"),
    [
        (f"--- a/s/k\n+++ b/s/k\n{HUNK}", ["s/k", "s/k"]),
        (f"--- s/k\n+++ s/k\n{HUNK}", ["s/k", "s/k"]),
        (f"--- a/s/k\n+++ s/k\n{HUNK}", ["a/s/k", "s/k"]),
        (f"--- /dev/null\n+++ b/s/k\n{NEW}", ["s/k"]),
        (f"--- a/s/k\n+++ /dev/null\n{GONE}", ["s/k"]),
        (f"--- ./s//k\t2026-01-01\n+++ ./s//k\t2026-01-01\n{HUNK}", ["s/k", "s/k"]),
        (f'--- "a/\\163/k"\n+++ "b/\\163/k"\n{HUNK}', ["s/k", "s/k"]),
        (f"--- a/\\x73/k\n+++ b/\\x73/k\n{HUNK}", ["\\x73/k", "\\x73/k"]),
        (f"--- a/x\r\n+++ b/x\r\n{HUNK}".replace("\n", "\r\n"), ["x", "x"]),
        ("diff --git a/s/k b/t\nrename from s/k\nrename to t\n", ["s/k", "t"]),
        ("diff --git a/s/k b/s/k\nnew file mode 100644\n", ["s/k"]),
        ("diff --git a/s/k b/s/k\ndeleted file mode 100644\n", ["s/k"]),
        (f"--- a/x\n+++ b/x\n{HUNK}--- a/s/k\n+++ b/t\n{HUNK}", ["x", "x", "s/k", "t"]),
        (f"some words\n--- a/x\n+++ b/x\n{HUNK}\nmore words\n", ["x", "x"]),
    ],
)
def test_patch_touches_both_sides_of_each_file(patch, places):
    """As its tool reads it: a patch quotes names as git does, where paths are escaped otherwise."""
    assert touched("apply_patch", patch=patch) == places


@pytest.mark.parametrize("path", ["", "/etc", "a/../b", "a\0b", r"a\x00b", "x" * 300, "\ud800"])
def test_path_that_leads_nowhere_is_refused_as_its_tool_does(path):
    """So is a patch with one; nobody is asked for what cannot be."""
    for tool, arguments in (
        ("read_file", {"path": path}),
        ("copy_path", {"source": "a", "destination": path}),
    ):
        with pytest.raises(ToolError) as caught:
            touched(tool, **arguments)
        assert caught.value.code == "path_not_allowed"


def test_path_that_is_refused_among_others_hides_none_of_them():
    """read_files says so of that one, and reads the others."""
    assert touched("read_files", paths=["a/../b", "a", "/b", 7]) == ["a"]
    assert touched_by(TOOLS["read_files"], {"paths": ["/b"]}) == [EVERYTHING]


def test_what_is_not_told_may_be_everything():
    """A tool of nobody knows where, one that says nothing, a call that names nothing."""
    silent = TOOLS["read_file"].model_copy(update={"arguments_schema": {"properties": {"x": {}}}})
    assert touched_by(None, {"path": "a"}) == [EVERYTHING]
    assert touched_by(silent, {"x": "a"}) == [EVERYTHING]
    assert touched_by(TOOLS["read_file"], {"path": None}) == [EVERYTHING]
    assert touched_by(TOOLS["read_file"], {"file": "a"}) == [EVERYTHING]
    assert touched_by(TOOLS["apply_patch"], {"patch": 7}) == [EVERYTHING]


@pytest.mark.parametrize(
    ("one", "other", "do_overlap"),
    [
        (("a", False), ("a", False), True),
        (("a", False), ("a/b", False), False),
        (("a", True), ("a/b", False), True),
        (("a", True), ("ab", False), False),
        (("a/b", True), ("a", False), False),
        ((".", True), ("a/b/c", False), True),
    ],
)
def test_touched_places_overlap_where_one_lies_in_the_others_tree(one, other, do_overlap):
    """Whichever of them is asked."""
    first, second = (Touched(parse(path), is_tree) for path, is_tree in (one, other))
    assert first.overlaps(second) == second.overlaps(first) == do_overlap
