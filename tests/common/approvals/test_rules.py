"""A rule's glob is kept as paths are shown, and one that could match no path is refused."""

import pytest
from pydantic import ValidationError

from common.approvals.rules import MAX_GLOB, MAX_WILD, Rule, glob_of
from common.files.globs import compile_glob


def kept(glob):
    """Return a glob as a rule keeps it."""
    return Rule(path=glob, effect="deny").path


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("secrets", "secrets"),
        ("./secrets//./k/", "secrets/k"),
        (r"\x73ecrets", "secrets"),
        (r"a\x2fb", "a/b"),
        (r"caf\xC3\xA9", "café"),
        (r"\xFF.bin", r"\xff.bin"),
        ("a\u200bb", r"a\xe2\x80\x8bb"),
        (r"a\\b", r"a\\b"),
        (r"\x2a\x3f\x5b\x7b.pem", "[*][?][[][{].pem"),
        ("[^a]b", "[!a]b"),
        ("{{name}}", "{{name}}"),
        ("[{]a,b}", "[{]a,b}"),
        ("a[", "a["),
    ],
)
def test_glob_is_kept_as_paths_are_shown(written, plain):
    """Whoever writes it otherwise would deny nothing: tools show `\\xff`, and never `\\xFF`."""
    assert kept(written) == plain
    assert kept(plain) == plain


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("/etc", "relative"),
        (r"\x2fetc", "relative"),
        ("a/../b", "relative"),
        (r"a/\x2e\x2e/b", "relative"),
        (".", "relative"),
        ("./", "relative"),
        ("*.{pem,key}", "alternatives"),
        (r"\*", "backslash"),
        (r"\x0", "backslash"),
        (r"a\x00b", "NUL"),
        ("a\0b", "NUL"),
        ("a[b/c]d", "a set"),
        (r"a[\xff]", "a set"),
        ("\u200b" * 90, "characters"),
        ("?" * (MAX_WILD + 1), "wildcards"),
        ("[a]*" * MAX_WILD, "wildcards"),
    ],
)
def test_glob_that_no_path_could_match_is_refused_with_the_reason(written, why):
    """In silence it would deny nothing."""
    with pytest.raises(ValidationError, match=why):
        kept(written)


def test_what_is_kept_can_be_read_again():
    """Rules are stored as they are kept: one that has grown over the bound could not be."""
    longest = "\u200b" * (MAX_GLOB // 12)
    assert kept(kept(longest)) == kept(longest)


@pytest.mark.parametrize(
    "path", ["*", "a?c", "app/[slug]/page", "a*b/{x,y}", "README.md", r"a\xffb", r"a\\b", "[", "a]"]
)
def test_glob_of_a_path_takes_that_path_and_no_other(path):
    """A file that a model has called `*` must not become a rule for all of them."""
    glob = glob_of(path)
    assert kept(glob) == glob
    anchored = compile_glob(glob.removesuffix("/**"))
    assert anchored.fullmatch(path)
    assert not any(anchored.fullmatch(other) for other in ("x", "abc", "app/s/page", "axxb/x"))


def test_glob_of_a_name_is_of_the_one_that_stands_above():
    """A name without a slash is ruled at any depth; and `.` is everything."""
    assert (glob_of("README.md"), glob_of("./a/b"), glob_of(".")) == ("README.md/**", "a/b", "**")
