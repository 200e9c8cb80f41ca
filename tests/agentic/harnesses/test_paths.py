"""Paths: the framework's to the tools', and back."""

import pytest

from agentic.harnesses.paths import Root
from common.errors import ToolError


@pytest.mark.parametrize(
    ("root", "path", "relative"),
    [
        ("/workspace", "/workspace", "."),
        ("/workspace", "/workspace/", "."),
        ("/workspace", "/workspace/a/b", "a/b"),
        ("/workspace", "/workspace//a//b/", "a//b"),
        ("/workspace", "/workspace/../a", "../a"),
        ("/", "/", "."),
        ("/", "/a", "a"),
        ("/", "//a/b", "a/b"),
    ],
)
def test_a_path_is_what_lies_beneath_the_root(root, path, relative):
    """What is odd beneath it goes to the service as it is: it alone knows what it means."""
    assert Root(root).relative(path) == relative


@pytest.mark.parametrize("path", ["", "a", "workspace/a", "/", "/workspaces/a", "/etc/passwd"])
def test_a_path_outside_is_refused_as_one_where_nothing_is(path):
    """A path that begins alike is not beneath."""
    with pytest.raises(ToolError) as caught:
        Root("/workspace").relative(path)
    told = caught.value
    assert (told.code, told.context.path, told.context.errno) == (
        "path_not_allowed",
        path,
        "ENOENT",
    )


@pytest.mark.parametrize(("root", "above"), [("/workspace", "/workspace/"), ("/", "/")])
def test_a_told_path_is_absolute(root, above):
    """The workspace itself is the root."""
    assert (Root(root).absolute("."), Root(root).absolute("a/b")) == (root, f"{above}a/b")


@pytest.mark.parametrize(
    ("path", "is_above"),
    [
        ("/", True),
        ("/work", True),
        ("/work/space/.", True),
        ("/work/a/..", True),
        ("/work/spaces", False),
        ("/work/space/a", False),
        ("/wo", False),
    ],
)
def test_what_encloses_the_workspace_is_known(path, is_above):
    """Whoever removes that removes it all."""
    assert Root("/work/space").is_enclosed_by(path) == is_above


@pytest.mark.parametrize("path", ["", "work", "/work/", "/work/../a", "/work//a"])
def test_a_root_is_an_absolute_normal_path(path):
    """Else nothing would lie beneath it."""
    with pytest.raises(ValueError, match="absolute"):
        Root(path)
