"""A model that goes round in circles is told so once; then its run ends."""

import itertools

from tests.system.conversation.talking import last
from tests.system.models.answers import Answer, calls

NUDGE = "You are going round in circles"
LOOK = calls(("list_directory", {"path": "."}))
SAME, ERRORS, ALTERNATING = 4, 3, 6
"""As the settings have them."""


def missing():
    """Return a program whose calls all fail, each for another path."""
    count = itertools.count()
    return lambda _: calls(("read_file", {"path": f"missing{next(count)}"}))


async def test_the_same_call_with_the_same_result_is_nudged_then_stopped(talk):
    """A model that does not see it costs money for as long as nobody looks."""
    talk.script.then = lambda _: LOOK
    run = await talk.run("look")
    assert (run.status, run.error.code) == ("failed", "stuck")
    nudged = [NUDGE in last(body) for body in talk.bodies]
    assert nudged == [False] * SAME + [True] + [False] * (SAME - 1)
    assert [step.status for step in run.steps] == ["succeeded"] * 2 * SAME


async def test_the_same_error_is_nudged_then_stopped_whatever_the_arguments(talk):
    """Guessed paths are never the same twice, and no path is there any more for it."""
    talk.script.then = missing()
    run = await talk.run("read what is not there")
    assert (run.status, run.error.code) == ("failed", "stuck")
    nudged = [NUDGE in last(body) for body in talk.bodies]
    assert nudged == [False] * ERRORS + [True] + [False] * (ERRORS - 1)
    assert {step.error.code for step in run.steps} == {"path_not_found"}


async def test_two_calls_by_turns_are_nudged_then_stopped(talk):
    """The smallest circle that is none of the two above."""
    turns = itertools.cycle([LOOK, calls(("get_file_info", {"path": "."}))])
    talk.script.then = lambda _: next(turns)
    run = await talk.run("look and look")
    assert (run.status, run.error.code) == ("failed", "stuck")
    nudged = [NUDGE in last(body) for body in talk.bodies]
    assert nudged == [False] * ALTERNATING + [True] + [False] * (ALTERNATING - 1)


async def test_a_model_that_heeds_the_nudge_succeeds(talk):
    """It is told what it does over and over, and does something else."""

    def heeding(conversation):
        is_told = NUDGE in last(conversation.body)
        return Answer(text="It is empty.") if is_told else LOOK

    talk.script.then = heeding
    run = await talk.run("look")
    assert (run.status, run.result.answer, len(run.steps)) == ("succeeded", "It is empty.", SAME)
    assert "list_directory" in last(talk.bodies[-1]).partition(NUDGE)[2]
