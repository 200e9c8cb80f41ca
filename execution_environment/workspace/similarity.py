"""Guesses what was meant: the most similar of some texts, found with bounded work."""

import heapq
from collections.abc import Sequence
from difflib import SequenceMatcher

MAX_COMPARED = 80
"""Characters of a text that are compared: the work grows with their cube."""
MAX_CANDIDATES = 2000
"""Texts that are looked at."""
_MAX_SHORTLISTED = 20
"""Of those, the ones that are compared in earnest."""
_CUTOFF = 0.6
"""How similar a text has to be, of 1."""


def most_similar(wanted: str, candidates: Sequence[str]) -> int | None:
    """Return where the most similar text stands, or None when none is similar."""
    matcher = SequenceMatcher(b=wanted[:MAX_COMPARED])
    likely = []
    for number, text in enumerate(candidates[:MAX_CANDIDATES]):
        matcher.set_seq1(text[:MAX_COMPARED])
        if matcher.real_quick_ratio() >= _CUTOFF:
            likely.append((matcher.quick_ratio(), -number))
    similar = []
    for _, number in heapq.nlargest(_MAX_SHORTLISTED, likely):
        matcher.set_seq1(candidates[-number][:MAX_COMPARED])
        if (ratio := matcher.ratio()) >= _CUTOFF:
            similar.append((ratio, number))
    return -max(similar)[1] if similar else None
