"""Texts that differ in white space only: told with the exact text, and found with bounded work."""

import json
import random
import re
import time

import pytest

from execution_environment.toolkit import white_space

MIB = 1024 * 1024
ANNOUNCED = "as a JSON string: "


def shown(content: str, wanted: str) -> str | None:
    """Return the text that the hint carries, if there is one."""
    hint = white_space.hint(content, wanted)
    return None if hint is None else json.loads(hint.partition(ANNOUNCED)[2])


@pytest.mark.parametrize(
    ("content", "wanted", "exact"),
    [
        ("if x:\n\tfoo(1,  2)\n\tbar\n", "    foo(1, 2)\n    bar\n", "\tfoo(1,  2)\n\tbar\n"),
        ("  a\n    b\nc", "a\n  b", "a\n    b"),
        ("one  \ntwo", "one\ntwo", "one  \ntwo"),
        ("one\ntwo", "one \ntwo \n\n", "one\ntwo"),
        ("one\r\ntwo\nthree", "one\ntwo\n", "one\r\ntwo\n"),
        ("one\ntwo\n", "one\r\ntwo", "one\ntwo"),
        ("one\r\ntwo\nx", "one \r\n", "one\r\n"),
        ("one\ntwo", "one\t", "one"),
        ("a\u00a0b", "a b", "a\u00a0b"),
        ("f(a,b)", "f( a, b )", "f(a,b)"),
        ("one two", "one\n\ntwo", "one two"),
    ],
)
def test_white_space_is_told_with_the_exact_text(content, wanted, exact):
    """What the caller copies has to be in the file, with the edges that the wanted text has."""
    assert wanted not in content
    assert exact in content
    assert shown(content, wanted) == exact


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("final", "in a"),
        ("in a", "ina"),
        ("a b", "a c"),
        ("", "a"),
        ("a  b", " \n"),
        ("   ", "\n"),
        ("A b", "a  b"),
    ],
)
def test_white_space_is_not_all_that_differs(content, wanted):
    """Words that are put together or cut are other words."""
    assert white_space.hint(content, wanted) is None


def test_white_space_hint_counts_the_places_and_shows_the_first():
    """Words that look alike without their white space are none of them."""
    content = "fina\n  f(a,b)\nf(a, b)\n  f( a,b)\n"
    hint = white_space.hint(content, "f( a, b )")
    assert hint.startswith("It differs in white space only from line 2, the first of 3 places.")
    assert hint.endswith(f'{ANNOUNCED}"f(a,b)"')
    many = white_space.hint("ab\n" * 100 + "a  b\n" * 1000, "a b")
    assert f"from line 101, the first of {white_space.MAX_PLACES - 100} or more places" in many


def test_white_space_hint_shows_a_space_that_does_not_break():
    """It looks like any other, and would be copied as one."""
    assert white_space.hint("a\u00a0b", "a b").endswith('"a\\u00a0b"')


def test_white_space_hint_names_the_lines_of_a_text_that_is_too_long():
    """Whoever reads just these has the text to copy."""
    lines = [f"\tline {number}\n" for number in range(2000)]
    hint = white_space.hint("top\n" + "".join(lines), "".join(lines).replace("\t", "  "))
    assert hint.startswith("It differs in white space only from lines 2 to 2001.")
    assert "start_line=2 and max_lines=2000" in hint
    assert len(hint) < white_space.MAX_SHOWN


def test_white_space_is_not_looked_for_in_a_text_of_megabytes():
    """Its words alone would take hundreds of megabytes, and nobody copies as much."""
    wanted = "a " * (white_space.MAX_WANTED // 2)
    content = wanted.replace(" ", "\n")
    assert white_space.hint(content, wanted) is not None
    assert white_space.hint(content, wanted + " ") is None


@pytest.mark.parametrize("seed", range(40))
def test_white_space_is_found_wherever_blocks_end(seed, monkeypatch):
    """As a slow search says that tries every line."""
    monkeypatch.setattr(white_space, "BLOCK", 3)
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    words = [f"w{number}" for number in range(30)]
    content = "".join(word + chance.choice([" ", "  ", "\t", "\n  "]) for word in words)
    first = chance.randrange(25)
    wanted = " \n".join(words[first : first + 5])
    [exact] = re.findall(r"\s+".join(words[first : first + 5]), content)
    assert shown(content, wanted) == exact


_BLANKS, _PAIRS = " " * 4 * MIB, "a " * 2 * MIB
_SOURCE = "".join(f"    def f{n}(self, a{n % 7}):  # {n * n}\n" for n in range(120_000))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (_SOURCE, "".join(_SOURCE.splitlines(keepends=True)[-400:]).replace("    ", "\t")),
        (_SOURCE, _SOURCE.replace(" ", "\t")),
        (_BLANKS, "a b"),
        (f"a{_BLANKS}b", "a b"),
        ("\n" * 4 * MIB, "a\nb"),
        ("ab" * 2 * MIB, "a b"),
        (_PAIRS, "a\t" * 100_000),
        (_PAIRS, " a\ta "),
        (_PAIRS, "a  " * 50_000 + "b"),
        ("a" * 4 * MIB, "a " * 100_000 + "b"),
        ((" a" * 10_000 + "b") * 200, "a  " * 10_000 + "c"),
    ],
    ids=[
        "400 lines",
        "a whole file",
        "blanks",
        "blanks within",
        "newlines",
        "words put together",
        "long places",
        "many places",
        "nearly many",
        "one letter",
        "nearly alike",
    ],
)
def test_white_space_hint_of_megabytes_is_made_at_once(content, wanted):
    """Whatever the texts are made of: an edit that fails must not compute for a minute."""
    begun = time.monotonic()
    white_space.hint(content, wanted)
    assert time.monotonic() - begun < 5
