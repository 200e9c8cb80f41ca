"""What is being said, from pieces that get lost, come twice, or begin again."""

import pytest

from common.events.speech import Delta, Speech, delta_of
from tests.agentic.fakes import a_delta


def piece(text, offset, t=1, attempt=1):
    """A piece as the service sends it."""
    return Delta(t=t, attempt=attempt, offset=offset, text=text)


@pytest.fixture
def speech():
    """The first attempt at the first turn, with its first word."""
    begun = Speech(1, 1)
    begun.take(piece("käse", 0))
    return begun


def test_a_piece_stands_at_its_bytes_and_not_its_characters(speech):
    """Offsets count UTF-8: `käse` takes five."""
    assert speech.take(piece(" und", 5)) == " und"
    assert speech.text == "käse und"


@pytest.mark.parametrize(
    ("text", "offset", "new"), [("käse", 0, ""), ("äs", 1, ""), ("se!", 3, "!")]
)
def test_a_piece_that_was_heard_adds_only_what_is_new(speech, text, offset, new):
    """A text that was caught up with has what is still on its way."""
    assert speech.take(piece(text, offset)) == new


def test_a_piece_after_a_hole_is_not_taken(speech):
    """What is missing has to be read first."""
    assert speech.take(piece("!", 9)) is None
    assert speech.text == "käse"


def test_a_piece_of_a_broken_attempt_is_dropped():
    """The model is being asked again: what it said before is nobody's any more."""
    speech = Speech(2, 3)
    assert [speech.take(piece("x", 0, t, n)) for t, n in [(1, 9), (2, 2)]] == ["", ""]
    assert speech.text == ""


def test_another_turn_or_attempt_ends_a_speech(speech):
    """Each begins at 0 again."""
    told = [speech.is_over_for(piece("x", 0, t, n)) for t, n in [(1, 1), (1, 2), (2, 1), (0, 5)]]
    assert told == [False, True, True, False]


def test_a_hole_is_filled_from_the_text_so_far(speech):
    """That may be ahead of the piece; pieces it has are not said twice then."""
    assert speech.catch_up(piece("!", 9), "käse und! Bro") == " und! Bro"
    assert speech.take(piece(" Bro", 10)) == ""
    assert speech.take(piece("t", 14)) == "t"
    assert speech.text == "käse und! Brot"


@pytest.mark.parametrize("so_far", [None, "", "other words here", "käse 123?"])
def test_after_a_hole_that_cannot_be_filled_nothing_more_is_taken(speech, so_far):
    """The text is of another attempt, or gone; the turn has it all, and the rest is told from there."""
    assert speech.catch_up(piece("!", 9), so_far) == ""
    assert speech.take(piece("?", 10)) == ""
    assert speech.complete("käse und!?") == " und!?"


def test_who_comes_late_reads_what_was_said_before():
    """The first piece that comes is not the first there was."""
    speech = Speech(1, 1)
    assert speech.take(piece("late", 6)) is None
    assert speech.catch_up(piece("late", 6), "early late") == "early late"


def test_a_delta_event_is_read_as_a_piece():
    """The names of the contract."""
    assert delta_of(a_delta("x", 7, t=2, attempt=3)) == piece("x", 7, 2, 3)
