"""What a model is saying, put together from pieces that may be lost, come late or begin again."""

import sys
from typing import Self

from common.models import Lenient
from common.runs import Event

MISSED = "…"
"""Stands where a piece is missing and can no longer be read."""
LAST_ATTEMPT = sys.maxsize
"""None comes after it: what was said is a turn."""


class Delta(Lenient):
    """A piece of what is being said in one attempt at a turn."""

    t: int
    attempt: int
    offset: int
    """Where it stands, in bytes of UTF-8."""
    text: str

    @property
    def end(self) -> int:
        """Where the next piece stands."""
        return self.offset + len(_bytes(self.text))


def delta_of(event: Event) -> Delta:
    """Return the piece that a `text.delta` brings."""
    return Delta.model_validate(event.data)


class Speech:
    """What was heard of one attempt at one turn; the size is where the next piece belongs."""

    def __init__(self, t: int = 0, attempt: int = 0) -> None:
        self.t = t
        self.attempt = attempt
        self.text = ""
        self._size = 0

    @classmethod
    def of(cls, t: int, text: str) -> Self:
        """Return a turn's speech that is complete, whichever attempt it was."""
        speech = cls(t, LAST_ATTEMPT)
        speech.text, speech._size = text, len(_bytes(text))
        return speech

    def is_over_for(self, delta: Delta) -> bool:
        """Tell whether a piece begins another turn, or another attempt at this one."""
        return (delta.t, delta.attempt) > (self.t, self.attempt)

    def take(self, delta: Delta) -> str | None:
        """Return what a piece adds; None where something before it is missing."""
        if (delta.t, delta.attempt) < (self.t, self.attempt):
            return ""  # what was said before the model was asked again
        if delta.offset > self._size:
            return None
        return self._add(_bytes(delta.text)[self._size - delta.offset :])

    def catch_up(self, delta: Delta, so_far: str | None) -> str:
        """Return what was missed, and the piece, out of the run's text so far.

        That text may be of another attempt by now: then the gap is marked.
        """
        whole, heard = _bytes(so_far or ""), self.text.encode()
        is_same = whole.startswith(heard) and whole[delta.offset : delta.end] == _bytes(delta.text)
        if is_same and whole:
            return self._add(whole[self._size :])
        new = MISSED + delta.text
        self.text, self._size = self.text + new, delta.end
        return new

    def _add(self, new: bytes) -> str:
        text = new.decode(errors="replace")
        self.text, self._size = self.text + text, self._size + len(new)
        return text


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
