"""What a person has seen before a change was approved is what the change still has to do."""

from collections.abc import Iterable, Sequence

from common.errors import ToolError
from common.tools import Receipt


def require_expected(receipts: Sequence[Receipt], expected: Sequence[Receipt]) -> None:
    """Raise `changed_since_preview`, with the path, unless a change has the receipts of its preview.

    They say what was there before as well as what comes: where nothing was, nothing may have come. That
    a directory is there by now that would have been made, or has to be made again, harms nobody. But
    where a person was shown no change at all, nothing may be made, be it a directory.
    """
    found, seen = _that_count(receipts) if expected else _by_path(receipts), _that_count(expected)
    if found == seen:
        return
    path = next(path for path in (*seen, *found) if found.get(path) != seen.get(path))
    now = found.get(path)
    raise ToolError(
        "changed_since_preview",
        f"'{path}' is not as it was when this change was previewed",
        path=path,
        current_sha256=None if now is None else now.sha256_before,
    )


def changed_since_preview(failure: ToolError) -> ToolError:
    """Return what it means that a change cannot be made any more whose preview was made."""
    return ToolError(
        "changed_since_preview",
        f"The change cannot be made as it was previewed: {failure.detail}",
        path=failure.context.path,
        errno=failure.context.errno,
        current_sha256=failure.context.current_sha256,
    )


def _that_count(receipts: Iterable[Receipt]) -> dict[str, Receipt]:
    return _by_path(receipt for receipt in receipts if not receipt.makes_directory)


def _by_path(receipts: Iterable[Receipt]) -> dict[str, Receipt]:
    return {receipt.path: receipt for receipt in receipts}
