"""What receipts come to; `test_receipts.py` compares it with a disk, here it is seen case by case."""

import pytest

from common.folding import fold
from common.tools import Receipt


def receipt(path, operation, before=None, after=None, *, created=None, mode="0644"):
    """Return a receipt; without `after` it is a directory's, without a mode one of what is gone."""
    return Receipt(
        path=path,
        operation=operation,
        created=operation == "create" if created is None else created,
        sha256_before=before,
        sha256_after=after,
        size=None if after is None else len(after),
        mode=mode,
        bytes_written=0,
    )


def made(path, content=None):
    """A new file, or a new directory."""
    return [receipt(path, "create", after=content, mode="0644" if content else "0755")]


def written(path, before, after):
    """A file with another content."""
    return [receipt(path, "replace", before, after)]


def removed(path, content=None):
    """A file or a tree that is gone."""
    return [receipt(path, "delete", content, mode=None)]


def moved(old, new, content=None, replaced=None):
    """Both ends of a move."""
    mode = "0644" if content else "0755"
    return [
        receipt(old, "move", content, mode=None),
        receipt(new, "move", replaced, content, created=replaced is None, mode=mode),
    ]


def copied(path, content=None):
    """What a copy has brought."""
    mode = "0644" if content else "0755"
    return [receipt(path, "copy", after=content, created=True, mode=mode)]


def told(*calls):
    """Say in short what the calls come to: path, operation, whether created, hashes."""
    return [
        (it.path, it.operation, it.created, it.sha256_before, it.sha256_after) for it in fold(calls)
    ]


@pytest.mark.parametrize(
    "calls",
    [
        [made("f", "A"), removed("f", "A")],
        [made("d"), made("d/f", "A"), removed("d")],
        [written("f", "A", "B"), written("f", "B", "A")],
        [moved("f", "g", "A"), moved("g", "f", "A")],
        [moved("d", "e"), made("e/f", "A"), removed("e/f", "A"), moved("e", "d")],
        [copied("e"), written("e/f", "A", "B"), removed("e")],
        [written("f", "A", "B"), removed("f", "B"), made("f", "A")],
    ],
)
def test_folding_lists_no_change_that_came_to_nothing(calls):
    """It was listed with a hash that nothing on the disk had."""
    assert told(*calls) == []


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([made("f", "A"), written("f", "A", "B")], [("f", "create", True, None, "B")]),
        ([written("f", "A", "B"), written("f", "B", "C")], [("f", "replace", False, "A", "C")]),
        ([written("f", "A", "B"), removed("f", "B")], [("f", "delete", False, "A", None)]),
        ([removed("f", "A"), made("f", "B")], [("f", "replace", False, "A", "B")]),
        ([made("f", "A"), moved("f", "g", "A")], [("g", "move", True, None, "A")]),
        (
            [moved("f", "g", "A", replaced="B")],
            [("f", "move", False, "A", None), ("g", "move", False, "B", "A")],
        ),
        (
            [written("d/f", "A", "B"), moved("d", "e")],
            [("d", "move", False, None, None), ("e", "move", True, None, None),
             ("e/f", "move", True, None, "B")],
        ),
        (
            [written("d/f", "A", "B"), moved("d", "e"), moved("e", "d")],
            [("d/f", "replace", False, "A", "B")],
        ),
        (
            [written("d/f", "A", "B"), removed("d"), made("d"), made("d/g", "C")],
            [("d", "replace", False, None, None), ("d/g", "create", True, None, "C")],
        ),
        (
            [[*made("a/b/f", "A"), *made("a"), *made("a/b")]],
            [("a", "create", True, None, None), ("a/b", "create", True, None, None),
             ("a/b/f", "create", True, None, "A")],
        ),
        (
            [copied("e"), written("e/f", "A", "B")],
            [("e", "copy", True, None, None), ("e/f", "create", True, None, "B")],
        ),
    ],
)  # fmt: skip
def test_folding_tells_each_path_as_it_is_now(calls, expected):
    """With what it was before the run, not before its last step."""
    assert told(*calls) == expected
