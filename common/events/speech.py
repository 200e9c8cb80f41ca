"""What a model is saying, put together from pieces that may be lost, come late or begin again."""

import sys

from common.models import Lenient
from common.runs import Event

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
    """What was heard of one attempt at one turn, from its beginning on; `size` is that in bytes.

    Where a piece of it is lost for good, no further one is taken: the turn brings what is missing.
    """

    def __init__(self, t: int = 0, attempt: int = 0) -> None:
        self.t = t
        self.attempt = attempt
        self.text = ""
        self.size = 0
        self._is_cut = False

    def is_over_for(self, delta: Delta) -> bool:
        """Tell whether a piece begins another turn, or another attempt at this one."""
        return (delta.t, delta.attempt) > (self.t, self.attempt)

    def take(self, delta: Delta) -> str | None:
        """Return what a piece adds; None where something before it is missing."""
        if self._is_cut or (delta.t, delta.attempt) < (self.t, self.attempt):
            return ""  # or what was said before the model was asked again
        if delta.offset > self.size:
            return None
        return self._add(_bytes(delta.text)[self.size - delta.offset :])

    def catch_up(self, delta: Delta, so_far: str | None) -> str:
        """Return what was missed, and the piece, out of the run's text so far.

        That text may be of another attempt by now.
        """
        text = so_far or ""
        is_same = _bytes(text)[delta.offset : delta.end] == _bytes(delta.text)
        self._is_cut = not (is_same and text.startswith(self.text))
        return "" if self._is_cut else self.complete(text)

    def complete(self, text: str) -> str:
        """Return what a text that begins with what was heard adds to it."""
        return self._add(_bytes(text)[self.size :])

    def _add(self, new: bytes) -> str:
        text = new.decode(errors="replace")
        self.text, self.size = self.text + text, self.size + len(new)
        return text


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
