"""Globs: what matches which path, in either service; what makes no sense is refused."""

import pytest

from common.files.globs import InvalidPattern, compile_glob, compile_pattern

PATHS = [
    "a.py", "b.txt", "src/a.py", "src/deep/a.py", "src/deep/b.txt", "a\nb.py", ".hidden", "[x]",
    "a+b", "src2/a.py",
]  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "matched"),
    [
        ("*.py", ["a.py", "src/a.py", "src/deep/a.py", "a\nb.py", "src2/a.py"]),
        ("a.py", ["a.py", "src/a.py", "src/deep/a.py", "src2/a.py"]),
        ("deep", []),
        ("*", PATHS),
        ("src/*", ["src/a.py"]),
        ("*/a.py", ["src/a.py", "src2/a.py"]),
        ("src/*.txt", []),
        ("**", PATHS),
        ("**/*", PATHS),
        ("src/**", ["src/a.py", "src/deep/a.py", "src/deep/b.txt"]),
        ("**/a.py", ["a.py", "src/a.py", "src/deep/a.py", "src2/a.py"]),
        ("src/**/a.py", ["src/a.py", "src/deep/a.py"]),
        ("?.txt", ["b.txt", "src/deep/b.txt"]),
        ("a?b", ["a+b"]),
        ("src?a.py", []),
        ("src?/a.py", ["src2/a.py"]),
        ("[ab].txt", ["b.txt", "src/deep/b.txt"]),
        ("[!a].*", ["b.txt", "src/deep/b.txt"]),
        ("[a-b].py", ["a.py", "src/a.py", "src/deep/a.py", "src2/a.py"]),
        ("src[!x]a.py", []),
        ("[[]x]", ["[x]"]),
        ("[x[!]y]", []),
        ("[[]x[!-a]", ["[x]"]),
        ("[[]x[!]-a]", []),
        ("a+b", ["a+b"]),
        ("A.PY", []),
    ],
)
def test_a_glob_matches_names_at_any_depth_and_with_a_slash_whole_paths(glob, matched):
    """`*` and `?` and a set that leaves characters out stay within one name, `**` does not."""
    pattern = compile_glob(glob)
    assert [path for path in PATHS if pattern.fullmatch(path)] == matched


@pytest.mark.parametrize("glob", ["[z-a]", "src/[z-a]*"])
def test_a_glob_with_a_set_that_makes_no_sense_is_refused(glob):
    """It would match nothing, and nobody would know why."""
    with pytest.raises(InvalidPattern, match="range"):
        compile_glob(glob)


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"\1", "a{1001}"])
def test_a_pattern_that_re2_does_not_take_is_refused_with_its_reason(pattern):
    """RE2 leaves out what cannot be matched in linear time."""
    with pytest.raises(InvalidPattern) as caught:
        compile_pattern(pattern)
    assert str(caught.value)
