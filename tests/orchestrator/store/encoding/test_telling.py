"""What the events of a run tell."""

import json

import pytest

from orchestrator.store.encoding.telling import decided
from orchestrator.store.records import StoredTurn


@pytest.mark.parametrize(("text", "size"), [(None, 0), ("", 0), ("käse ☃", 9), ("\ud800", 1)])
def test_a_decided_turn_tells_how_much_was_said_in_it(text, size):
    """In bytes of UTF-8, as pieces count theirs: who has heard fewer reads the turn."""
    turn = StoredTurn.model_construct(t=3, calls=[], usage=None, text=text, decided_at=None)
    assert json.loads(decided(turn)) == {"t": 3, "calls": 0, "text_bytes": size, "usage": None}
