"""JSON that two parsers could read differently is refused."""

import json

import pytest
from hypothesis import given, strategies as st

from common.errors import ClientError
from common.strict_json import MAX_DEPTH, loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nul", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b'{"a":1,"a":2}',
        b'"\\ud800"', b'{"\\udfff":1}', b"\xff", b'"\xed\xa0\x80"', b"[" * 100_000, b"1 2",
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    ],
)  # fmt: skip
def test_malformed_bodies_are_refused(body):
    """Never a 500, never a guess."""
    with pytest.raises(ClientError) as caught:
        loads(body)
    assert caught.value.code == "malformed_request"


@given(JSON)
def test_good_json_is_read_as_it_is(value):
    """Strictness takes nothing away."""
    assert loads(json.dumps(value).encode()) == json.loads(json.dumps(value))


def test_escaped_pairs_are_text():
    """Only halves of pairs are refused."""
    assert loads(b'"\\ud83d\\ude00"') == "\U0001f600"
