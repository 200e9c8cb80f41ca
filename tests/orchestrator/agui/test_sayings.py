"""What is said, from pieces that get lost, come late, or begin again."""

import pytest

from orchestrator.agui.sayings import Sayings
from tests.agentic.fakes import a_delta, an_event
from tests.orchestrator.agui.protocol import Order, texts


class Told:
    """What can be read of a run: the text so far, and the texts of its turns."""

    def __init__(self):
        self.so_far = None
        self.turns = {}

    async def text_so_far(self):
        """Return it."""
        return self.so_far

    async def text_of(self, t):
        """Return a turn's; fail where it need not be read."""
        return self.turns[t]


@pytest.fixture
def told():
    """What can be read."""
    return Told()


@pytest.fixture
def tell(told):
    """Tell events, and what is answered at the end; return the messages by their ids, checked."""

    async def telling(*events, answer=None):
        sayings, found = Sayings(told, "r"), []
        for event in events:
            said = sayings.piece if event.type == "text.delta" else sayings.decided
            found += await said(event)
        found += sayings.end() if answer is None else sayings.answer(answer)
        order = Order()
        for event in found:
            order.take(event)
        order.check_end()
        return texts(found)

    return telling


def decided(text, t=1):
    """Return the event of a turn in which this was said."""
    return an_event(1, "turn.decided", t=t, calls=0, text_bytes=len(text.encode()))


async def test_what_is_streamed_is_one_message_and_not_said_again(tell):
    """Nothing has to be read for that."""
    pieces = [a_delta("Grüß"), a_delta(" Gott", 6)]
    assert await tell(*pieces, decided("Grüß Gott"), answer="Grüß Gott\n") == {"r:1": "Grüß Gott"}


async def test_what_nobody_heard_is_told_with_its_turn(tell, told):
    """As it is for whoever comes later."""
    told.turns = {1: "Hello."}
    assert await tell(decided("Hello.")) == {"r:1": "Hello."}


async def test_a_hole_is_filled_from_what_was_said_so_far(tell, told):
    """The first words are said before anybody can listen."""
    told.so_far = "one two three"
    assert await tell(a_delta("three", 8)) == {"r:1": "one two three"}


async def test_a_hole_that_cannot_be_filled_waits_for_the_turn(tell, told):
    """Rather than that words are told in another order than they were said."""
    told.turns = {1: "one two three four"}
    lost = [a_delta("one "), a_delta("three", 8), a_delta(" four", 13)]
    assert await tell(*lost) == {"r:1": "one "}
    assert await tell(*lost, decided("one two three four")) == {"r:1": "one two three four"}


async def test_a_second_attempt_is_another_message(tell):
    """The first one's words are out, and are not those that count."""
    said = [a_delta("I thi"), a_delta("Yes.", attempt=2), decided("Yes.")]
    assert await tell(*said, answer="Yes.") == {"r:1": "I thi", "r:1~2": "Yes."}


async def test_a_turn_that_says_something_else_than_was_heard_is_another_message(tell, told):
    """The attempt that it comes from was not heard at all."""
    told.turns = {1: "Indeed."}
    assert await tell(a_delta("I thi"), decided("Indeed.")) == {"r:1": "I thi", "r:1~2": "Indeed."}


async def test_a_piece_that_comes_behind_its_turn_is_passed_over(tell):
    """It was told with the turn."""
    assert await tell(a_delta("Yes."), decided("Yes."), a_delta("Yes.")) == {"r:1": "Yes."}


async def test_turns_are_messages_of_their_own(tell):
    """With the answer that was not said: a plan's, for one."""
    said = [a_delta("One."), decided("One."), a_delta("Two.", t=2), decided("Two.", 2)]
    expected = {"r:1": "One.", "r:2": "Two.", "r:answer": "Done."}
    assert await tell(*said, answer="Done.") == expected
