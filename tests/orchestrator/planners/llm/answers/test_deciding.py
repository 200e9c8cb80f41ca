"""What a model's answer means: calls, an end, a question, or nothing of use."""

import pytest

from common.errors import SystemFault
from orchestrator.planners.decisions import CallTools, Finish, Reconsider
from orchestrator.planners.llm.context.told import NOT_NEEDED
from orchestrator.planners.protocol import Wishes
from tests.orchestrator.planners.llm.talking import Talk, read, says

SCHEMA = {
    "type": "object", "required": ["count"], "properties": {"count": {"type": "integer"}},
}  # fmt: skip


async def stopped(talk):
    """Return what a run ends with."""
    with pytest.raises(SystemFault) as caught:
        await talk.go_on()
    return caught.value


async def test_a_refusal_ends_the_run_in_the_models_own_words():
    """Nothing is gained by asking again."""
    fault = await stopped(Talk(says("I will not help with that.", reason="refused")))
    assert fault.code == "model_refused"
    assert "I will not help with that." in fault.detail


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (says(""), "empty"),
        (says(" \n"), "empty"),
        (says("It is a long st", reason="length"), "shorter"),
        (says("", ("read_file", '{"path": "xxxxxxx'), reason="length"), "one short call"),
        (says("", ("write_file", '{"path": "x", "cont'), reason="length"), "append_file"),
        (says('```json\n{"name": "read_file", "arguments": {"path": "x"}}\n```'), "call of read_file"),
        (says('read_file {path: "src/app.py"}'), "call of read_file"),
        (says('`read_file(path="a",\n max_lines=2)`'), "call of read_file"),
    ],
)  # fmt: skip
async def test_an_answer_of_no_use_is_asked_again_twice_then_the_run_ends(answer, told):
    """A small model often finds it the second time; it is paid for each time."""
    talk = Talk(answer, answer, answer)
    for _ in range(2):
        decision = await talk.go_on()
        assert isinstance(decision, Reconsider)
        assert told in decision.feedback
        assert decision.answered.message == answer.message
    fault = await stopped(talk)
    assert fault.code == "model_refused"
    assert told in fault.detail


async def test_an_answer_of_use_in_between_begins_the_counting_anew():
    """It was a slip, not an inability."""
    talk = Talk(says(""), says(""), says("", read()), says(""), says("", read("b")), says("done"))
    await talk.go_on(5)
    assert isinstance(await talk.go_on(), Finish)


async def test_calls_that_are_whole_are_made_though_the_answer_was_cut_off_after_them():
    """Their arguments came to their end."""
    assert isinstance(await Talk(says("", read(), reason="length")).go_on(), CallTools)


@pytest.mark.parametrize("ending", [[], [("read_file", '{"path": "a.t')]])
@pytest.mark.parametrize("reason", ["stop", "length"])
async def test_a_call_that_is_repeated_to_the_end_of_an_answer_is_made_once(ending, reason):
    """Seen with a small model: 25 times the same, until it was cut off; the steps would be used up."""
    calls = [read(), read("b"), *[read()] * 20, *(ending if reason == "length" else [])]
    talk = Talk(says("", *calls, reason=reason), says("done"))
    decision = await talk.go_on()
    assert [call.arguments["path"] for call in decision.calls] == ["a.txt", "b"]
    await talk.go_on()
    outputs = talk.model.requests[1].items[-1].outputs
    assert [output.content == NOT_NEEDED for output in outputs] == [False] * 2 + [True] * (len(calls) - 2)  # fmt: skip


async def test_what_is_read_again_after_a_change_is_read_again():
    """It is not the same any more; and a change may be meant twice."""
    write = ("write_file", {"path": "a.txt", "content": "x"})
    decision = await Talk(says("", read(), write, write, read())).go_on()
    assert len(decision.calls) == 4


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "read_file", "arguments": {"path": "x"}}',
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "x"}}\n</tool_call>',
        'I read it first.\n```json\n{"name": "read_file", "arguments": {"path": "x"}}\n```',
        '```\n{"name": "read_file", "parameters": {"path": "x"}}\n```\n',
        '[{"name": "read_file", "arguments": {}}, {"name": "read_file", "arguments": {}}]',
        '{"name": "read_file", "arguments": {}}\n{"name": "read_file", "arguments": {}}',
        '{"type": "function", "function": {"name": "read_file", "arguments": "{}"}}',
    ],
)
async def test_a_call_that_is_written_as_text_is_not_taken_for_the_end(text):
    """Small models do it; the run would end with nothing done and be called a success."""
    assert isinstance(await Talk(says(text)).go_on(), Reconsider)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "age": 36}',
        'The file holds:\n```json\n{"name": "left-pad", "arguments": []}\n```',
        "Call it like ```read_file``` does.",
        'It is {"name": "read_file", "arguments": {}} that failed, and nothing else.',
        "```" * 3000,
        "[" * 30_000 + "{",
        '{"function": {"name": 7, "arguments": 1}}',
        "42",
        "read_file(path) reads a file (all of it)",
        "read_file (a.txt)",
        "print('Hello')",
    ],
)
async def test_json_that_is_no_call_is_an_answer(text):
    """People ask for JSON, too."""
    decision = await Talk(says(text)).go_on()
    assert isinstance(decision, Finish)
    assert decision.answer == text


@pytest.mark.parametrize(
    "text",
    ['{"count": 3}', ' {\n "count": 3}\n', '```json\n{"count":3}\n```', 'So:\n```\n{"count": 3}\n```\nDone.'],
)  # fmt: skip
async def test_an_answer_that_matches_the_schema_is_stored_as_compact_json(text):
    """Who asked for JSON can parse it as it is."""
    talk = Talk(says(text), wishes=Wishes(output_schema=SCHEMA))
    assert (await talk.go_on()).answer == '{"count":3}'
    assert '"required":["count"]' in talk.model.requests[0].items[0].text


@pytest.mark.parametrize(
    "text", ["Three.", '{"count": "3"}', '{"count": NaN}', "[" * 5000, "\ud800"]
)
async def test_an_answer_that_does_not_match_is_asked_again_once_then_the_run_ends(text):
    """It is told what does not match."""
    talk = Talk(says(text), says(text), wishes=Wishes(output_schema=SCHEMA))
    decision = await talk.go_on()
    assert isinstance(decision, Reconsider)
    assert "does not match the schema" in decision.feedback
    assert (await stopped(talk)).code == "model_refused"


async def test_a_mismatch_names_the_place():
    """Otherwise a model changes something else."""
    talk = Talk(says('{"count": "3"}'), says('{"count": 3}'), wishes=Wishes(output_schema=SCHEMA))
    assert "count: '3' is not of type 'integer'" in (await talk.go_on()).feedback
    assert isinstance(await talk.go_on(), Finish)


async def test_json_that_looks_like_a_call_is_an_answer_where_the_schema_wants_it():
    """The schema is what was asked for."""
    schema = {"type": "object", "required": ["name", "arguments"]}
    text = '{"name":"read_file","arguments":{}}'
    talk = Talk(says(text), wishes=Wishes(output_schema=schema))
    assert (await talk.go_on()).answer == text


async def test_a_question_without_words_is_asked_for_again():
    """Nobody could answer it."""
    for arguments in ({}, {"question": " "}, "{", {"question": 3}):
        decision = await Talk(says("", read(), ("ask_user", arguments))).go_on()
        assert isinstance(decision, Reconsider)
        assert "ask_user" in decision.feedback


async def test_steps_have_names_of_their_own_whatever_a_model_calls_its_tools():
    """They are shown, and refer to nothing twice."""
    names = ["read_file", "Read File!", "文件", "", "9lives", "x" * 300]
    talk = Talk(says("", *[(name, {}) for name in names]), says("", read()), says("done"))
    first = await talk.go_on()
    second = await talk.go_on()
    named = [call.name for call in (*first.calls, *second.calls)]
    assert named == [
        "read_file_1", "read_file_2", "call_3", "call_4", "call_9lives_5", "x" * 40 + "_6",
        "read_file_7",
    ]  # fmt: skip
