"""A conversation that grows beyond what its model can read: outputs go first, then a summary."""

from dataclasses import replace

import pytest

from common.errors import SystemFault
from orchestrator.planners.decisions import CallTools, Compact, Finish
from orchestrator.planners.llm.context.measure import CHARACTERS_PER_TOKEN
from orchestrator.planners.llm.context.told import DONE, LEFT_OUT
from orchestrator.planners.llm.conversation import Answered, TooLong, ToolOutputs
from orchestrator.planners.llm.sizes import size_of
from orchestrator.planners.protocol import Speech, Surroundings, Wishes
from tests.orchestrator.planners.llm.talking import TOOLS, Talk, done, read, says

CONTEXT = 6000
LONG = "x" * 1500 + "\n"


def long(call):
    """Return a long output, another one for each call."""
    return done(call, content=f"{call.n} {LONG}", start_line=1, end_line=1, total_lines=1)


def talk_of(*answers, **more):
    """Return a run of long outputs."""
    return Talk(*answers, **{"outcome": long, "context": CONTEXT, **more})


def reads(count):
    """Return as many answers that read a file."""
    return [says("", read(f"f{n}")) for n in range(count)]


async def compaction(talk):
    """Go on until something is left out; return the decision."""
    for _ in range(30):
        decision = await talk.go_on()
        if isinstance(decision, Compact):
            return decision
    raise AssertionError("nothing was left out")


def contents(request):
    """Return all outputs that a request shows."""
    return [o.content for item in request.items if isinstance(item, ToolOutputs) for o in item.outputs]  # fmt: skip


async def test_the_oldest_outputs_are_left_out_in_one_block_down_to_half_of_the_limit():
    """So that the beginning stays the same for many turns, and is paid for from the cache."""
    talk = talk_of(*reads(40))
    found = await compaction(talk)
    assert (found.summary, found.answered) == (None, None)
    asked = len(talk.model.requests)
    assert 1 < found.covers < asked - 1
    await talk.go_on()
    shown = contents(talk.model.requests[-1])
    assert shown[: found.covers] == [LEFT_OUT] * found.covers
    assert LEFT_OUT not in shown[found.covers :]
    await talk.go_on(2)
    before, after = talk.model.requests[-2].items, talk.model.requests[-1].items
    assert list(after[: len(before)]) == list(before)


async def test_a_run_of_any_length_stays_within_what_its_model_can_read():
    """Hundreds of turns, and no request too long for it."""
    talk = talk_of(*[it for n in range(60) for it in reads(3)], says("done"))
    talk.history = replace(talk.history, goal="read them all")

    def summed_up(request):
        return says("I have read many.") if not request.tools else None

    script = list(talk.model.answers)
    talk.model.answers = [lambda request: summed_up(request) or script.pop(0)] * 400
    kinds = []
    while not kinds or kinds[-1] is not Finish:
        kinds.append(type(await talk.go_on()))
    for request in talk.model.requests:
        assert size_of(request) <= (CONTEXT - 1000) * CHARACTERS_PER_TOKEN
        assert "read them all" in str(request.items[0])
    assert kinds.count(Compact) < kinds.count(CallTools) / 3


async def test_of_a_change_that_is_left_out_it_is_said_that_it_was_made():
    """Called again, it would be made twice."""
    write = ("write_file", {"path": "x", "content": "y"})
    talk = talk_of(says("", write), *reads(40), outcome=_diff)
    await compaction(talk)
    await talk.go_on()
    assert contents(talk.model.requests[-1])[0] == DONE


def _diff(call):
    return done(call, diff=LONG) if call.tool == "write_file" else long(call)


async def test_what_the_model_has_not_seen_yet_is_not_left_out():
    """It would ask for it again and again."""
    talk = talk_of(*reads(40))
    found = await compaction(talk)
    await talk.go_on()
    assert "x" * 1000 in contents(talk.model.requests[-1])[-1]
    assert found.covers < talk.turns[-1].t - 1


async def test_a_model_that_says_that_a_request_is_too_long_gets_a_shorter_one():
    """What it counts is what counts."""
    talk = talk_of(*reads(4), TooLong(), says("done"), context=100_000)
    await talk.go_on(4)
    shorter = await talk.go_on()
    assert isinstance(shorter, Compact)
    assert shorter.covers <= 3
    assert isinstance(await talk.go_on(), Finish)
    assert len(str(talk.model.requests[-1].items)) < len(str(talk.model.requests[-2].items))


async def test_where_outputs_do_not_help_the_model_writes_a_summary_once_and_it_is_stored():
    """What it has done is not lost; the goal, the instructions and what people said stay word for word."""
    wishes = Wishes(instructions="Be kind.", workspace_instructions="Use tabs.")
    talk = talk_of(*_writes(40), wishes=wishes, goal="The goal.", outcome=_short)
    talk.send("Not the red ones.")
    heard = []

    class Listening(Speech):
        async def say(self, text):
            heard.append(text)

    talk.around = Surroundings(TOOLS, Listening())
    found = await compaction(talk)
    assert found.summary == "I wrote much."
    assert found.answered.message["parts"][0]["content"] == "I wrote much."
    assert "I wrote much." not in heard
    [asked] = [request for request in talk.model.requests if not request.tools]
    assert "write_file" in asked.items[0].text
    await talk.go_on()
    beginning, *rest = talk.model.requests[-1].items
    for kept in ("The goal.", "Be kind.", "Use tabs.", "Not the red ones.", "I wrote much."):
        assert kept in beginning.text
    assert sum(isinstance(item, Answered) for item in rest) == talk.turns[-1].t - 2 - found.covers
    await talk.go_on()
    assert talk.model.requests[-1].items[0] == beginning


def _short(call):
    return done(call, diff=f"+ {call.n}")


def _writes(count):
    """Return answers that are long themselves, and a summary whenever one is asked for."""
    answer = ("write_file", {"path": "x", "content": LONG})
    return [
        lambda request: says("", answer) if request.tools else says("I wrote much.")
        for _ in range(count)
    ]


async def test_the_answer_to_a_question_outlives_a_compaction_between_them():
    """The question may be summed up before its answer is read."""
    talk = talk_of(*_writes(7), context=1_000_000, outcome=lambda call: done(call, diff=LONG * 2))
    await talk.go_on(2)
    talk.model.answers.insert(0, says("", ("ask_user", {"question": "Which?"})))
    await talk.go_on()
    talk.send("the red one", is_answer=True)
    found = []
    for _ in range(2):
        talk.model.answers.insert(0, TooLong())
        found.append(await talk.go_on())
    assert [it.summary for it in found] == [None, "I wrote much."]
    assert found[1].covers == talk.turns[2].t
    await talk.go_on()
    before, after = talk.model.requests[-3], talk.model.requests[-1]
    assert before.items[-1].outputs[0].content == "the red one"
    assert str(after.items).count("The answer to your question: the red one") == 1


async def test_a_summary_that_is_too_long_to_ask_for_is_asked_for_with_less():
    """A model whose limit nobody knows."""
    talk = talk_of(says("", read()), TooLong(), TooLong(), says("It was read."), says("done"))
    await talk.go_on()
    found = await talk.go_on()
    assert found.summary == "It was read."


async def test_a_model_that_cannot_even_read_what_it_is_to_sum_up_ends_the_run():
    """Its limit is far below what the settings say."""
    talk = talk_of(says("", read()), *[TooLong()] * 4)
    await talk.go_on()
    with pytest.raises(SystemFault) as caught:
        await talk.go_on()
    assert (caught.value.code, len(talk.model.requests)) == ("model_refused", 5)
    lengths = [size_of(request) for request in talk.model.requests[2:]]
    assert lengths == sorted(lengths, reverse=True)


async def test_a_summary_takes_in_the_one_before_and_what_was_asked_since():
    """Nothing of it is there in any other form."""
    talk = talk_of(says("", read()), TooLong(), says("First I read."))
    await talk.go_on(2)
    talk.model.answers += [
        says("", ("ask_user", {"question": "Which?"})), TooLong(), says("Then I asked."),
    ]  # fmt: skip
    await talk.go_on()
    talk.send("the red one", is_answer=True)
    assert (await talk.go_on()).summary == "Then I asked."
    asked = talk.model.requests[-1].items[0].text
    assert "First I read." in asked
    assert "Agent asks the user: Which?" in asked


async def test_a_goal_that_seems_too_long_is_for_the_model_to_judge():
    """An estimate alone ends no run."""
    talk = talk_of(says("done"), goal="x" * 40_000)
    assert isinstance(await talk.go_on(), Finish)


async def test_an_empty_summary_leaves_what_was_done_last():
    """A small model has nothing to say; its run goes on nevertheless."""
    talk = talk_of(says("", read()), TooLong(), says(""), says("done"))
    await talk.go_on()
    found = await talk.go_on()
    assert "read_file" in found.summary


async def test_a_request_that_can_not_be_made_shorter_ends_the_run_and_says_which_setting():
    """The goal and the instructions alone are too long for the model."""
    talk = talk_of(TooLong())
    with pytest.raises(SystemFault) as caught:
        await talk.go_on()
    assert caught.value.code == "model_refused"
    assert "ORCHESTRATOR_MODEL_CONTEXT" in caught.value.hint


async def test_an_estimate_is_corrected_by_what_the_last_request_took():
    """Tokens of other scripts are shorter: the provider tells how many there were."""
    few = talk_of(*reads(40))
    many = talk_of(*[says("", read(f"f{n}"), tokens=2000 * (n + 1)) for n in range(40)])
    await compaction(few)
    await compaction(many)
    assert len(many.model.requests) < len(few.model.requests)
