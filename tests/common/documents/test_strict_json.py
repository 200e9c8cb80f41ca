"""JSON that two parsers could read differently is refused."""

import json
import math
import tracemalloc

import pytest
from hypothesis import given, strategies as st

from common.documents.strict_json import MAX_DEPTH, MAX_VALUES, loads
from common.errors import ClientError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nul", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"9" * 400, b"-1e999", b'{"a":1,"a":2}',
        b'[{"b":{"a":1,"\\u0061":2}}]', b'{"":1,"":":"}',
        b'"\\ud800"', b'{"\\udfff":1}', b"\xff", b'"\xed\xa0\x80"', b"[" * 100_000, b"1 2",
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    ],
)  # fmt: skip
def test_malformed_json_is_refused(body):
    """Never a 500, never a guess."""
    with pytest.raises(ClientError) as caught:
        loads(body)
    assert caught.value.code == "malformed_request"


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * MAX_VALUES + b"{}]",
        b"[" + b"1," * MAX_VALUES + b"1]",
        b"[" + b'"",' * 3 * MAX_VALUES + b'""]',
        rb'["\\",' + b"[]," * MAX_VALUES + rb'"\""]',
        b"[" + b"[]," * MAX_VALUES,
    ],
    ids=["objects", "numbers", "strings", "behind a backslash", "never closed"],
)
def test_json_of_too_many_values_is_refused_before_they_are_made(body):
    """48 MB of `{},` became 2.2 GB, and kept everybody waiting for 10 s."""
    tracemalloc.start()
    try:
        with pytest.raises(ClientError) as caught:
            loads(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", MAX_VALUES)
    assert peak < 4 * len(body)


def test_commas_and_brackets_in_json_text_count_for_nothing():
    """A table or a program may be as long as the body may be."""
    text = '[{,"\\' * MAX_VALUES
    assert loads(json.dumps([text, {text: text}]).encode()) == [text, {text: text}]


def told_once(pairs):
    """Return an object, unless a name is told twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def finite(text):
    """Return a number, unless it is out of range."""
    if math.isinf(float(text)):
        raise ValueError("out of range")
    return float(text)


@given(st.lists(st.sampled_from([*'{}[]:,"\\ ab10-e.', '"a":', "null", "\\u0061"]), max_size=30))
def test_it_takes_what_another_parser_takes_and_reads_it_alike(pieces):
    """Whatever stands where; the other one has no bounds, and half pairs are no matter here."""
    text = "".join(pieces)
    try:
        expected = json.loads(text, object_pairs_hook=told_once, parse_float=finite)
    except ValueError:
        with pytest.raises(ClientError):
            loads(text.encode())
    else:
        assert loads(text.encode()) == expected


@given(JSON)
def test_good_json_is_read_as_it_is(value):
    """Strictness takes nothing away."""
    assert loads(json.dumps(value).encode()) == json.loads(json.dumps(value))


def test_escaped_surrogate_pairs_in_json_are_text():
    """Only halves of pairs are refused."""
    assert loads(b'"\\ud83d\\ude00"') == "\U0001f600"
