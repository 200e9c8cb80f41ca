"""The parser of event streams, against the rules of the standard."""

import itertools
import time

import pytest
from hypothesis import given, strategies as st

from agentic import SystemFault
from agentic.api.sse import Parser, ServerSentEvent, parse

STREAM = (
    "\ufeff: a comment\r\n\r\n"
    "id: 1\nevent: run.started\ndata: {}\n\n"
    "data:two\rdata:  lines\r\r"
    "id\ndata\n\n"
    "retry: 10\nunknown: x\nevent: without data\n\n"
    "id: 9\0\ndata: käse ☃\n\n"
    "data: cut short\n"
).encode()
EVENTS = [
    ServerSentEvent("run.started", "{}", "1"),
    ServerSentEvent("message", "two\n lines", "1"),
    ServerSentEvent("message", "", ""),
    ServerSentEvent("message", "käse ☃", ""),
]


def test_an_sse_stream_is_read_as_the_standard_has_it():
    """Byte order mark, comments, the three line ends, empty data, NUL in ids, the cut-off end."""
    assert Parser().feed(STREAM) == EVENTS


@given(st.sets(st.integers(0, len(STREAM))))
def test_any_chunking_of_an_sse_stream_gives_the_same_events(cuts):
    """The network cuts where it likes: within CRLF, within a character."""
    bounds = [0, *sorted(cuts), len(STREAM)]
    parser = Parser()
    chunks = [STREAM[start:end] for start, end in itertools.pairwise(bounds)]
    assert [event for chunk in chunks for event in parser.feed(chunk)] == EVENTS


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
def test_any_line_of_sse_data_comes_back_as_it_was(text):
    """JSON in an event may hold every character but line ends, U+2028 included."""
    [event] = Parser().feed(f"data: {text}\n\n".encode())
    assert event.data == text


def test_bytes_that_are_no_utf8_do_not_end_an_sse_stream():
    """The standard replaces them."""
    assert Parser().feed(b"data: \xff\n\n") == [ServerSentEvent("message", "\ufffd", "")]


@pytest.mark.parametrize("size", [1, 7, len(STREAM)])
async def test_a_source_of_sse_chunks_is_read_to_its_end(size):
    """What follow uses."""

    async def chunks():
        for start in range(0, len(STREAM), size):
            yield STREAM[start : start + size]

    assert [event async for event in parse(chunks())] == EVENTS


def _seconds(size):
    """How much of the processor a line of that size takes that comes in pieces."""
    piece = b"x" * 256
    parser, start = Parser(), time.thread_time()
    parser.feed(b"data: ")
    for _ in range(size // len(piece)):
        parser.feed(piece)
    [event] = parser.feed(b"\n\n")
    assert len(event.data) == size
    return time.thread_time() - start


def test_a_long_line_of_an_sse_stream_takes_time_in_proportion_to_its_length():
    """Looked at anew with each piece, one of 16 times the length took 256 times as long."""
    short, long = (min(_seconds(size) for _ in range(3)) for size in (2**17, 2**21))
    assert long < 64 * short


@pytest.mark.parametrize(
    "chunk", [b"data: ", b"data: abcdefgh\n", b"event: abcdefgh", b": abcdefghi"]
)
def test_an_event_of_an_sse_stream_has_a_bound_however_its_lines_are_cut(chunk):
    """One line, many lines, a field that is not data: what a server sends must end."""
    parser = Parser(most=100)
    with pytest.raises(SystemFault, match="upstream_failed"):
        [parser.feed(chunk) for _ in range(100)]


def test_many_events_of_an_sse_stream_have_no_bound_together():
    """Nor have comments between them: they show that somebody is there."""
    parser = Parser(most=20)
    sent = b": a comment\ndata: 1234567890\n\n" * 100
    assert len(parser.feed(sent)) == 100
    assert parser.feed(b": alive\n" * 100) == []
