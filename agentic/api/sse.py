"""Reads server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from agentic.api.transport import MOST, fault

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class ServerSentEvent:
    """One event as it was dispatched; `last_id` is where to resume after it."""

    event: str
    data: str
    last_id: str


class Parser:
    """Takes bytes in chunks of any size and gives events as they become complete.

    Each byte is looked at once, however the lines are cut. `most`: the bytes that an event may have.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._line = bytearray()
        self._after_cr = False
        """Whether a line feed that comes next is the second half of CRLF."""
        self._encoding = "utf-8-sig"
        self._event = ""
        self._data: list[str] = []
        self._size = 0
        """Bytes of the data so far."""
        self._last_id = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that this chunk completes; raise `upstream_failed` for an endless one."""
        lines = self._lines(chunk)
        return [event for line in lines if (event := self._take(line)) is not None]

    def _lines(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that this chunk completes; keep what it begins."""
        if not chunk:
            return
        is_second_half = self._after_cr and chunk.startswith(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        *ends, rest = _LINE_END.split(chunk[1:] if is_second_half else chunk)
        for end in ends:
            self._extend(end)
            line, self._line = self._line.decode(self._encoding, "replace"), bytearray()
            self._encoding = "utf-8"
            yield line
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) + self._size > self._most:
            raise fault("upstream_failed", "The event stream holds an endless event")

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
            self._size += len(line)
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self._last_id = value
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data, self._size = "", [], 0
        return ServerSentEvent(event, "\n".join(data), self._last_id) if data else None


async def parse(chunks: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a stream; one that the stream's end cuts short is dropped."""
    parser = Parser()
    async for chunk in chunks:
        for event in parser.feed(chunk):
            yield event
