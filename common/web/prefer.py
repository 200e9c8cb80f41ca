"""The header Prefer (RFC 7240): what a client would like, and does not depend on."""

from collections.abc import Sequence
from urllib.request import parse_http_list


def preferred_wait(lines: Sequence[str]) -> float | None:
    """Return how many seconds the client would wait.

    All lines are one list, of which the first `wait` counts. None without one, and when it is not a
    number: a preference that is not understood is ignored, as the standard has it.
    """
    for preference in parse_http_list(",".join(lines)):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            return float(digits) if digits.isascii() and digits.isdigit() else None
    return None
