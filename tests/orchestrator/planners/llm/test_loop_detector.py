"""A model that goes round in circles is nudged, then stopped."""

import pytest

from common.errors import SystemFault
from orchestrator.planners.llm.config import LoopLimits, ModelConfig
from tests.orchestrator.planners.llm.talking import Talk, done, read, refused, says


def talk_of(*calls, **more):
    """Return a run whose model makes these calls one by one."""
    return Talk(*[says("", *group) for group in calls], **more)


def is_nudge(request):
    """Return whether a request nudges the model at its end."""
    return any("round in circles" in text for text in getattr(request.items[-1], "said", ()))


def nudged(talk):
    """Return whether the last request does."""
    return is_nudge(talk.model.requests[-1])


async def test_the_same_call_with_the_same_result_is_nudged_at_the_fourth_and_stopped_at_the_eighth():
    """The limits are the deployment's; the counting begins anew after a nudge."""
    talk = talk_of(*[[read()]] * 9)
    await talk.go_on(4)
    assert not nudged(talk)
    await talk.go_on()
    assert nudged(talk)
    [said] = talk.model.requests[-1].items[-1].said
    assert 'read_file {"path": "a.txt"}' in said
    await talk.go_on(3)
    with pytest.raises(SystemFault) as caught:
        await talk.go_on()
    assert (caught.value.code, len(talk.model.requests)) == ("stuck", 8)
    assert "read_file" in caught.value.detail


async def test_a_nudge_stays_where_it_was_said():
    """A conversation whose past changes is paid for anew."""
    talk = talk_of(*[[read()]] * 4, [read("b")], [read("c")])
    await talk.go_on(6)
    before, after = talk.model.requests[-2].items, talk.model.requests[-1].items
    assert list(after[: len(before)]) == list(before)


async def test_the_same_calls_side_by_side_are_a_circle_as_well():
    """Three of them are neither the same as the one before, nor by turns."""
    talk = talk_of(*[[read("a"), read("b"), read("c")]] * 5)
    await talk.go_on(4)
    assert not nudged(talk)
    await talk.go_on()
    assert nudged(talk)


async def test_the_same_call_with_other_results_is_no_circle():
    """Somebody waits for something to change, and it does."""
    talk = talk_of(*[[read()]] * 9, outcome=lambda call: done(call, content=f"{call.n}"))
    await talk.go_on(9)
    assert not nudged(talk)


async def test_the_same_error_of_a_tool_three_times_in_a_row_is_a_circle_whatever_the_arguments():
    """Guessed paths, one after the other."""
    talk = talk_of(*[[read(f"guess{n}")] for n in range(9)], outcome=refused)
    await talk.go_on(4)
    assert nudged(talk)
    assert "path_not_found" in talk.model.requests[-1].items[-1].said[0]
    await talk.go_on(2)
    with pytest.raises(SystemFault):
        await talk.go_on()


async def test_errors_of_one_answer_count_once():
    """The model had not seen the first of them when it made the others."""
    talk = talk_of([read("a"), read("b"), read("c"), read("d")], [read("e")], outcome=refused)
    await talk.go_on(2)
    assert not nudged(talk)


async def test_two_calls_by_turns_that_change_nothing_are_a_circle():
    """Neither of them is the same as the one before."""
    talk = talk_of(*[[read("ab"[n % 2])] for n in range(13)])
    await talk.go_on(6)
    assert not nudged(talk)
    await talk.go_on()
    assert nudged(talk)
    await talk.go_on(5)
    with pytest.raises(SystemFault):
        await talk.go_on()


async def test_a_longer_circle_is_noticed_after_as_many_rounds():
    """A small model renamed a file, looked, read and searched, again and again, until its budget ended it."""
    talk = talk_of(*[[read("abcd"[n % 4])] for n in range(25)])
    await talk.go_on(12)
    assert not nudged(talk)
    await talk.go_on()
    assert nudged(talk)
    assert "the same 4 turns again and again" in talk.model.requests[-1].items[-1].said[0]
    await talk.go_on(11)
    with pytest.raises(SystemFault):
        await talk.go_on()


@pytest.mark.parametrize("names", ["abcabdacdbadcbcadbacdbca", "abcdabcdabcx", "abcabcabx"])
async def test_calls_that_come_back_otherwise_are_no_circle(names):
    """The model may go over what it has, for good reasons."""
    talk = talk_of(*[[read(name)] for name in f"{names}z"])
    await talk.go_on(len(names) + 1)
    assert not any(is_nudge(request) for request in talk.model.requests)


async def test_a_patient_deployment_is_not_told_of_a_circle_of_one_call():
    """Its limit for the same call is the one that counts, however long circles may be."""
    config = ModelConfig("fake:one", max_output=1000, loops=LoopLimits(same=20))
    talk = talk_of(*[[read()]] * 19, config=config)
    await talk.go_on(19)
    assert not nudged(talk)


async def test_two_calls_side_by_side_and_by_turns_are_counted_as_calls():
    """However the model groups them."""
    talk = talk_of(*[[read("a"), read("b")]] * 3, [read("c")])
    await talk.go_on(4)
    assert nudged(talk)


async def test_a_nudge_that_was_heeded_is_followed_by_another():
    """A long run may wait for something twice."""
    others = [[read(f"{n}")] for n in range(40)]
    talk = talk_of(*[[read()]] * 4, *others, *[[read()]] * 4, [read("z")])
    await talk.go_on(5)
    assert nudged(talk)
    await talk.go_on(44)
    assert nudged(talk)


async def test_a_word_of_a_person_begins_the_counting_anew():
    """It may be what the model was missing."""
    talk = talk_of(*[[read()]] * 12)
    await talk.go_on(5)
    assert nudged(talk)
    talk.send("Try once more.")
    await talk.go_on(3)
    talk.send("And again.")
    await talk.go_on(3)
    assert not nudged(talk)


async def test_the_limits_are_the_deployments():
    """A small model needs another patience."""
    config = ModelConfig("fake:one", max_output=1000, loops=LoopLimits(same=2))
    talk = talk_of(*[[read()]] * 3, config=config)
    await talk.go_on(3)
    assert nudged(talk)
