"""Names that may neither go nor come, and how paths are written."""

import pytest
from hypothesis import given, strategies as st

from agentic.directory.names import (
    collisions,
    is_forbidden,
    is_staged,
    parsed,
    plain,
    shown,
    staged_name,
)
from common.errors import AgenticError

GITS = (
    ".git",
    ".GIT",
    ".Git",
    ".git.",
    ".git ",
    ".git. . ",
    ".g\u200cit",
    "\ufeff.git",
    ".git\u202e",
    "git~1",
    "GIT~1",
    "git~2",
    "git~1.",
    ".git::$INDEX_ALLOCATION",
    ".git:stream",
    ".git .:x",
    "a\\\\.git",
    ".git\\\\config",
)
PARTS = st.lists(
    st.binary(min_size=1, max_size=20).filter(
        lambda part: not {0, ord("/")} & set(part) and part not in (b".", b"..")
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@pytest.mark.parametrize("place", ["{}", "a/{}", "{}/config", "a/{}/hooks/post-checkout"])
@pytest.mark.parametrize("name", GITS, ids=ascii)
def test_a_git_directory_is_forbidden_however_it_is_spelt(name, place):
    """A hook that an agent writes would be run by the next `git commit` of the person."""
    assert is_forbidden(place.format(name), is_windows=False) is not None


@pytest.mark.parametrize(
    "name",
    [".gitignore", ".github/ci.yml", ".gitattributes", ".gitmodules", "git", "x.git", "git~a",
     ".git-blame-ignore-revs", "\\xff\\xfe", "tests.git/a"],
    ids=ascii,
)  # fmt: skip
def test_names_that_only_look_alike_are_allowed(name):
    """They are files like others, and repositories have them."""
    assert is_forbidden(name, is_windows=False) is None


@pytest.mark.parametrize(
    "name",
    ["CON", "nul.txt", "a/com1", "LPT\u00b9.log", "aux .txt", "conout$", "a:b", "a?", "x.", "x ",
     "a\\x01b", "a|b"],
    ids=ascii,
)  # fmt: skip
def test_names_that_windows_reserves_are_refused_there_only(name):
    """`nul.txt` is a file on Linux, and a hole on Windows."""
    assert is_forbidden(name, is_windows=True) is not None
    assert is_forbidden(name, is_windows=False) is None


@pytest.mark.parametrize("name", ["console", "nullable.txt", "com10", "a.con", "prn-x"])
def test_names_that_begin_like_a_device_are_allowed_on_windows(name):
    """The whole stem is the device, or it is none."""
    assert is_forbidden(name, is_windows=True) is None


@given(PARTS)
def test_a_path_that_is_shown_means_the_same_bytes(parts):
    """Every name that a kernel allows has one way to be written, which can be given back."""
    path = shown(parts)
    assert path.isprintable()
    assert parsed(path) == parts
    assert plain(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", ".", "./a", "a/.", "a\0b",
     "a\\x00b", "\\x2e\\x2e/x", "\\x2fetc", "a/\\x2e\\x2e/b", "\ud800", "x" * 256, "a/" * 2100 + "a"],
    ids=lambda path: ascii(path)[:20],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_the_servers_fault(path):
    """A hostile server names what it likes; nothing is made of it."""
    with pytest.raises(AgenticError) as caught:
        parsed(path)
    assert (caught.value.code, caught.value.source) == ("upstream_failed", "client")


def test_names_that_fold_together_are_told_with_their_directories():
    """On a file system that folds case or normal forms one would overwrite the other."""
    paths = ["README", "readme", "a/x", "A/y", "caf\u00e9", "cafe\u0301", "b/z", "stra\u00dfe"]
    assert collisions([*paths, "STRASSE"]) == [
        ["A", "a"], ["README", "readme"], ["STRASSE", "stra\u00dfe"], ["cafe\u0301", "caf\u00e9"]
    ]  # fmt: skip
    assert collisions(["a/x", "a/y", "b"]) == []


def test_what_is_not_complete_can_be_told_by_its_name():
    """It is never sent, and is swept away."""
    assert is_staged(staged_name())
    assert staged_name() != staged_name()
    assert is_staged(staged_name("\u00e9".encode()))
    for name in (b".agenticignore", b".agentic-notes.tmp", b".agentic-.tmp", b"x" + staged_name()):
        assert not is_staged(name)
