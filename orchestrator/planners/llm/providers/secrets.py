"""Keeps keys out of what is said: a provider's words may repeat the one that was sent."""

import re
from collections.abc import Iterable

_SHORTEST = 6
"""Characters: what is shorter, a placeholder for instance, would take ordinary words away."""
_LOOKS_LIKE_A_KEY = re.compile(
    r"(?i:\bbearer\s+)[^\s\"',}]+"
    r"|\b(?:sk|pk|gsk|xai|hf|pplx|csk|nvapi|r8)[-_][^\s\"',}]{4,}"
    r"|\bAIza[\w-]{20,}"
)
HIDDEN = "[key]"


class Scrubber:
    """Takes the known keys out of texts, and whatever looks like one."""

    def __init__(self, keys: Iterable[str | None]) -> None:
        self._keys = sorted({k for k in keys if k and len(k) >= _SHORTEST}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return the text without keys."""
        for key in self._keys:
            text = text.replace(key, HIDDEN)
        return _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)
