"""A run as its model is told it: what was said stays said, and every call is answered once."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings, strategies as st

from common.errors import SystemFault
from orchestrator.planners.llm.calls import calls_of
from orchestrator.planners.llm.context.told import NOT_MADE, NOT_NEEDED
from orchestrator.planners.llm.conversation import Answered, Said, ToolOutputs
from tests.orchestrator.planners.llm.talking import Talk, done, read, refused, says

ARGUMENTS = st.sampled_from(
    [{"path": "a"}, {"path": "b/c"}, {"path": 7}, {}, "{", "[1]", '{"path": "x"} {}']
)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["read_file", "write_file", "nope", "Read File", ""]), ARGUMENTS),
        st.just(("ask_user", {"question": "which?"})),
        st.just(("ask_user", {})),
    ),
    max_size=70,
)
ANSWERS = st.builds(
    lambda text, calls, reason: (text, calls, reason),
    st.sampled_from(["", "So.", '{"name": "read_file", "arguments": {}}']),
    CALLS,
    st.sampled_from(["stop", "stop", "length"]),
)
TURNS = st.lists(
    st.tuples(ANSWERS, st.lists(st.sampled_from(["stop it", "go on"]), max_size=2)), max_size=7
)


async def told_in_all(script):
    """Return the requests of a run of these answers and messages, whatever it ends with."""
    talk = Talk(outcome=lambda call: refused(call) if call.n % 3 == 0 else done(call))
    talk.model.context = 10_000_000
    for (text, calls, reason), messages in script:
        talk.model.answers.append(says(text, *calls, reason=reason))
        is_asked = bool(talk.turns) and talk.turns[-1].question is not None
        if is_asked:
            talk.send("this one", is_answer=True)
        for message in messages:
            talk.send(message)
        is_over = bool(talk.turns) and talk.turns[-1].answer is not None and not messages
        if is_over or (await _next(talk)) is None:
            break
    return talk


async def _next(talk):
    try:
        return await talk.go_on()
    except SystemFault as ended:
        assert ended.code in ("stuck", "model_refused")
        return None


@settings(deadline=None, max_examples=60)
@given(TURNS)
def test_what_a_model_was_told_is_the_beginning_of_all_that_it_is_told_later(script):
    """Providers' caches hit by it; and a model whose past changes loses its way."""
    talk = asyncio.run(told_in_all(script))
    for earlier, later in zip(talk.model.requests, talk.model.requests[1:], strict=False):
        assert (later.system, later.tools) == (earlier.system, earlier.tools)
        beginning, last = earlier.items[:-1], earlier.items[-1]
        assert list(later.items[: len(beginning)]) == list(beginning)
        assert _begins_with(later.items[len(beginning)], last)


def _begins_with(later, earlier):
    """An empty answer is not sent back: then what is wrong with it joins what was said before."""
    match earlier:
        case ToolOutputs(outputs, said):
            return later.outputs == outputs and later.said[: len(said)] == said
        case Said(text):
            return later.text.startswith(text)
    return later == earlier


@settings(deadline=None, max_examples=60)
@given(TURNS)
def test_every_call_of_every_answer_has_one_output_right_after_it(script):
    """A provider refuses a conversation in which a call dangles."""
    talk = asyncio.run(told_in_all(script))
    for request in talk.model.requests:
        for item, following in zip(request.items, [*request.items[1:], None], strict=True):
            asked = calls_of(item.message) if isinstance(item, Answered) else []
            outputs = following.outputs if isinstance(following, ToolOutputs) else []
            if isinstance(item, Answered):
                assert [(o.call_id, o.tool) for o in outputs] == [(c.id, c.tool) for c in asked]
            assert all(output.content for output in outputs)


@settings(deadline=None, max_examples=60)
@given(TURNS)
def test_a_model_never_speaks_twice_in_a_row_and_the_user_has_the_last_word(script):
    """Providers refuse other conversations."""
    talk = asyncio.run(told_in_all(script))
    for request in talk.model.requests:
        is_model = [isinstance(item, Answered) for item in request.items]
        assert is_model == [n % 2 == 1 for n in range(len(is_model))]
        assert not is_model[-1]


async def test_of_too_many_calls_in_one_answer_the_last_ones_are_not_made_and_it_is_said():
    """Each of them would be a step of the run's budget."""
    talk = Talk(says("", *[read(f"f{n}") for n in range(100)]), says("done"))
    talk.model.context = 1_000_000
    decision = await talk.go_on()
    assert len(decision.calls) == 64
    await talk.go_on()
    outputs = talk.model.requests[1].items[-1].outputs
    assert [output.content == NOT_NEEDED for output in outputs] == [False] * 64 + [True] * 36


async def test_calls_whose_outcome_nobody_knows_are_told_as_not_made():
    """A run that was cancelled is gone on from as well."""
    talk = Talk(says("", read(), read("b")), says("done"))
    await talk.go_on()
    talk.history = replace(talk.history, steps=talk.history.steps[:1])
    await talk.go_on()
    first, second = talk.model.requests[1].items[-1].outputs
    assert "contents of" in first.content
    assert (second.content, second.is_error) == (NOT_MADE, True)
