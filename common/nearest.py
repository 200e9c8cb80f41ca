"""Names of tools that are meant, perhaps, by one that there is not."""

from collections.abc import Iterable
from difflib import SequenceMatcher

MAX_NAMES = 3
MAX_LENGTH = 64
"""Characters of a name that are looked at: comparing takes their square."""
NEAR = 0.7
"""Between 0, nothing in common, and 1, the same."""


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """Return a hint that names the nearest ones; None where none is near."""
    meant = name[:MAX_LENGTH].lower()
    ranked = sorted(((_likeness(meant, other), other) for other in names), reverse=True)
    near = [other for likeness, other in ranked[:MAX_NAMES] if likeness >= NEAR]
    return f"Did you mean {' or '.join(near)}?" if near else None


def _likeness(name: str, other: str) -> float:
    """Compare the verbs, then the whole: `delete_file` means `delete_path`, and not `edit_file`."""
    pairs = ((name.partition("_")[0], other.partition("_")[0]), (name, other))
    return sum(SequenceMatcher(None, *pair).ratio() for pair in pairs) / len(pairs)
