"""Reads server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import codecs
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class ServerSentEvent:
    """One event as it was dispatched; `last_id` is where to resume after it."""

    event: str
    data: str
    last_id: str


class Parser:
    """Takes text in chunks of any size and gives events as they become complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._event = ""
        self._data: list[str] = []
        self._last_id = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that this chunk completes."""
        self._text += self._decoder.decode(chunk)
        # a CR at the very end may be the first half of CRLF: wait for what comes
        held = "\r" if self._text.endswith("\r") else ""
        *lines, rest = _LINE_END.split(self._text.removesuffix("\r"))
        self._text = rest + held
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self._last_id = value
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return ServerSentEvent(event, "\n".join(data), self._last_id) if data else None


async def parse(chunks: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a stream; one that the stream's end cuts short is dropped."""
    parser = Parser()
    async for chunk in chunks:
        for event in parser.feed(chunk):
            yield event
