"""What an approved change may find that comes after another one of its turn."""

import pytest

from common.tools import Receipt
from orchestrator.approvals.pinning import is_as_seen, left_by


def change(path, before, after, **more):
    """Return the receipt of a change from one hash to another."""
    return Receipt(
        path=path, operation="replace", created=before is None, sha256_before=before,
        sha256_after=after, size=1, mode="0644", bytes_written=1, **more,
    )  # fmt: skip


MADE = Receipt(
    path="new", operation="create", created=True, sha256_before=None, sha256_after=None, size=None,
    mode="0755", bytes_written=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("receipts", "expected"),
    [
        ([change("x", "left", "c")], True),  # what the earlier call has left
        ([change("y", "seen", "c")], True),  # what was shown, and is there still
        ([change("z", None, "c")], True),  # where nothing was
        ([MADE, change("x", "left", "c")], True),  # a directory on the way harms nobody
        ([change("x", "seen", "c")], False),  # what was shown, before the earlier call
        ([change("y", "other", "c")], False),
        ([change("z", "other", "c")], False),  # something came
        ([change("w", None, "c")], False),  # nobody has seen what is there
        ([change("x", "left", None, tree_sha256="t")], False),  # nobody has seen what is in it
    ],
)
def test_change_may_find_what_its_predecessor_left_and_else_what_was_seen(receipts, expected):
    """Everything else is asked about once more."""
    left = left_by([change("x", "seen", "between"), change("x", "between", "left")])
    known = {"x": "seen", "y": "seen", "z": None}
    touched = {receipt.path for receipt in receipts}
    seen = {path: known[path] for path in known.keys() & touched}
    assert is_as_seen(receipts, left, seen) == expected


@pytest.mark.parametrize(
    ("source", "left", "expected"),
    [
        ("s", [], True),
        ("other", [], False),  # it was changed since, and its content has come
        (None, [], False),  # it was not there
        ("other", [change("source", "other", "s")], True),  # by an earlier call
        ("s", [change("source", "s", "t")], False),  # what comes is not what that has left
    ],
)
def test_copy_brings_what_was_seen_at_its_source(source, left, expected):
    """No receipt is about that; what comes is what was there."""
    receipts = [change("copy", "c", "s")]
    assert is_as_seen(receipts, left_by(left), {"source": source, "copy": "c"}) == expected


def test_copy_that_changes_nothing_by_now_is_asked_about_once_more():
    """Nobody can tell by its receipts what its source holds."""
    assert not is_as_seen([], {}, {"source": "s", "copy": "c"})
