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
    seen = {"x": "seen", "y": "seen", "z": None}
    assert is_as_seen(receipts, left, seen) == expected
