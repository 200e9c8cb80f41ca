"""Events in the forms that go out, and the places in a session's log from which clients go on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from common.runs import Event

MAX_SEQ = 2**53 - 1
"""Beyond any event's number, and still exact in every JSON reader."""


@dataclass(frozen=True)
class Cursor:
    """The last event that a client has: its number and, where it is known, its time in ms.

    After a failover of the store a number can be given out a second time: the time tells.
    """

    seq: int
    ms: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<seq>` or `<seq>.<time ms>`, digits of any length (PATTERN)."""
        seq, _, ms = text.partition(".")
        return cls(_bounded(seq), _bounded(ms) if ms else None)

    def __str__(self) -> str:
        """Return what `parse` reads."""
        return str(self.seq) if self.ms is None else f"{self.seq}.{self.ms}"

    def is_same(self, other: Self) -> bool:
        """Tell whether both are at one event, as far as is known."""
        return self.seq == other.seq and (None in (self.ms, other.ms) or self.ms == other.ms)

    def not_before(self, seq: int) -> "Cursor":
        """Return the later place: this one, or just before event `seq`."""
        return self if self.seq >= seq - 1 else Cursor(seq - 1)


PATTERN = r"^[0-9]+(\.[0-9]+)?$"
"""How a cursor is written."""
START = Cursor(0)


def _bounded(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    return min(int(significant), MAX_SEQ) if len(significant) <= len(str(MAX_SEQ)) else MAX_SEQ


def cursor_of(event: Event) -> Cursor | None:
    """Return where to go on after an event; None for a transient one. A gap's own time is no entry's."""
    if event.seq is None:
        return None
    is_entry = event.type != "gap"
    return Cursor(event.seq, round(event.time.timestamp() * 1000) if is_entry else None)


class Frame:
    """An event in its forms on the wire, each made once for all who follow."""

    def __init__(self, event: Event, json: str | None = None) -> None:
        self.event = event
        """It has no data where its JSON was given: that goes out as it is stored."""
        self.json = event.model_dump_json() if json is None else json

    @cached_property
    def cursor(self) -> Cursor | None:
        """Where to go on after it; None for a transient event."""
        return cursor_of(self.event)

    @cached_property
    def sse(self) -> bytes:
        """The event as browsers read it; without an id it is no place to resume from."""
        line = "" if self.cursor is None else f"id: {self.cursor}\n"
        return f"{line}event: {self.event.type}\ndata: {self.json}\n\n".encode()
