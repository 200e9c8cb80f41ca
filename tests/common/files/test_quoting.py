"""Names in the headers of diffs: read back as they are, by us and by git, and never as a line."""

import pytest

from common.files.patch_parser import parse
from common.files.paths import show
from common.files.quoting import header, quoted, renaming, unquoted

FORGED = "f\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-old\n+new\n"
NAMES = [
    b"plain", b" leading and trailing ", b'quo"te', b"back\\slash", b"tab\there", b"new\nline",
    b"\x1b[31m", b"\x7f\x01", b"\xff\xfe", "käse ☃".encode(), "\u202ertl\u2028".encode(), b"...",
    b'"', b"a b/c d", b"-- x", FORGED.replace("/", "|").encode(), b"\\x41", b"\\101",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_diff_is_read_back_as_it_was_written(name):
    """From one line without control characters."""
    written = header("a/", show(name))
    assert unquoted(written) == show(b"a/" + name)
    assert written.removesuffix("\t").isprintable()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("käse", "käse"),
        ("new\nline", '"new\\nline"'),
        ("\\xff\\x1b", '"\\377\\033"'),
        ('a"\\\\b', '"a\\"\\\\b"'),
        ("./a//b", "a/b"),
        ("a b", "a b"),
        ("a ", '"a "'),
        ("\u2028", '"\\342\\200\\250"'),
    ],
)
def test_names_in_diffs_are_quoted_as_git_does(path, expected):
    """What is printable stays as it is, but for a space at the end, which people's editors cut."""
    assert quoted(path) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_renaming_is_read_back_whatever_the_names(name):
    """git's own lines take no tab after the name, so one that ends with a space is quoted."""
    old, new = show(name), show(b"dir/" + name)
    [file] = parse(renaming(old, new))
    assert (file.old_path, file.new_path, file.hunks) == (old, new, ())
