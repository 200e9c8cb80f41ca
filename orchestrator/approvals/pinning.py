"""What an approved change that depends on an earlier one of its turn may find when it is made."""

from collections.abc import Iterable, Mapping, Sequence

from common.tools import Receipt

Hashes = Mapping[str, str | None]


def left_by(receipts: Iterable[Receipt]) -> Hashes:
    """Return what changes have left at each path, the last word on each; null for no file."""
    return {receipt.path: receipt.sha256_after for receipt in receipts}


def is_as_seen(receipts: Sequence[Receipt], left: Hashes, seen: Hashes) -> bool:
    """Tell whether a change finds what the earlier calls of its turn have left, or a person has seen.

    `seen` are all paths that it touches. What no receipt is about, such as the source of a copy, it takes
    from: that has to be what comes. What was in a directory nobody has seen by then: a change of a whole
    one asks once more.
    """
    known = {**seen, **left}
    taken_from = seen.keys() - {receipt.path for receipt in receipts}
    coming = {receipt.sha256_after for receipt in receipts} - {None}
    return all(known[path] in coming for path in taken_from) and all(
        receipt.tree_sha256 is None
        and receipt.path in known
        and known[receipt.path] == receipt.sha256_before
        for receipt in receipts
        if not receipt.makes_directory
    )
