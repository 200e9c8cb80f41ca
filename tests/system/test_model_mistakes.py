"""What a model does wrong over real processes: it is told so, nothing of it is done, the run goes on."""

import pytest

from tests.system.models.answers import Answer, Wanted, calls
from tests.system.models.stack import outputs_in

FILES = {"a.txt": "one\ntwo\n"}
READ = calls(("read_file", {"path": "a.txt"}))
DONE = Answer(text="Done.")
BROKEN_OFF = '{"path": "long.txt", "content": "it begins, and'


def call(tool, arguments):
    """Return an answer with one call, whose id is known."""
    return Answer(calls=(Wanted(tool=tool, arguments=arguments, id="call-1"),))


def told_of(done):
    """Return what the model was told of its call."""
    return outputs_in(done.asked[1])["call-1"]


async def recovered(stack, wrong):
    """Return a run whose model made this call, was told what is wrong, and did better."""
    done = await stack.ended("Read it", wrong, READ, DONE, files=FILES)
    assert (done.run.status, done.run.result.answer) == ("succeeded", "Done.")
    assert [step.status for step in done.run.steps] == ["failed", "succeeded"]
    return done


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ('{"path": ', "JSON"),
        ('{"path": "a.txt", "path": "b.txt"}', "duplicate key"),
        ('["a.txt"]', "not an object"),
    ],
    ids=["cut", "twice the same", "a list"],
)
async def test_arguments_that_are_no_json_object_go_back_under_the_calls_id(
    stack, arguments, detail
):
    """Nothing is guessed from them, and nothing is sent to the tool."""
    done = await recovered(stack, call("read_file", arguments))
    assert told_of(done).startswith("Error invalid_arguments: ")
    assert "\nHint: Send one JSON object" in told_of(done)
    error = done.run.steps[0].error
    assert (error.code, done.run.steps[0].attempts) == ("invalid_arguments", 0)
    assert detail in error.detail


async def test_arguments_of_wrong_types_go_back_with_the_fields(stack):
    """All that is wrong at once: a model corrects it in one go."""
    wrong = {"path": ["a.txt"], "start_line": "first", "colour": "red"}
    done = await recovered(stack, call("read_file", wrong))
    told = told_of(done)
    assert told.startswith("Error invalid_arguments: ")
    for field in ("path", "start_line", "colour"):
        assert field in told.partition("Hint:")[0]
    assert "Hint: read_file needs path; leave out" in told


@pytest.mark.parametrize(
    ("tool", "hint"),
    [
        ("read_fil", "Did you mean read_file or read_files?"),
        ("cat", "Use read_file."),
        ("bash", "Use list_directory or read_file"),
    ],
)
async def test_an_unknown_tool_is_answered_with_the_nearest_one(stack, tool, hint):
    """Models know tools from elsewhere."""
    done = await recovered(stack, call(tool, {"path": "a.txt"}))
    told = told_of(done)
    assert told.startswith(f"Error tool_not_found: There is no tool '{tool}'")
    assert f"\nHint: {hint}" in told


async def test_a_tools_error_goes_back_with_its_hint_and_the_model_corrects_it(stack):
    """The text was guessed: the model reads the file, and copies it."""
    guessed = {"path": "a.txt", "edits": [{"old_text": "Two", "new_text": "2"}]}
    right = {"path": "a.txt", "edits": [{"old_text": "two", "new_text": "2"}]}
    script = [call("edit_file", guessed), READ, calls(("edit_file", right)), DONE]
    done = await stack.ended("Write 2", *script, files=FILES)
    assert done.run.status == "succeeded"
    assert (done.root / "a.txt").read_text() == "one\n2\n"
    assert told_of(done).startswith("Error text_not_found: ")
    assert "\nHint: Line 2 comes closest: 'two'" in told_of(done)
    assert [step.status for step in done.run.steps] == ["failed", "succeeded", "succeeded"]
    assert [change.path for change in done.run.result.changes] == ["a.txt"]


async def test_a_text_with_other_white_space_is_answered_with_the_exact_one(stack):
    """Models write blanks for tabs: what they read has to survive the way back to them."""
    guessed = {"path": "a.txt", "edits": [{"old_text": "    one  two", "new_text": "2"}]}
    right = {"path": "a.txt", "edits": [{"old_text": "\tone two", "new_text": "2"}]}
    script = [call("edit_file", guessed), calls(("edit_file", right)), DONE]
    done = await stack.ended("Write 2", *script, files={"a.txt": "x\n\tone two\n"})
    assert (done.root / "a.txt").read_text() == "x\n2\n"
    assert "\nHint: It differs in white space only from line 2. " in told_of(done)
    assert r'JSON string: "\tone two"' in told_of(done)


async def test_a_path_that_is_not_there_is_answered_with_the_nearest_one(stack):
    """Small models guess paths."""
    done = await recovered(stack, call("read_file", {"path": "A.txt"}))
    assert told_of(done).startswith("Error path_not_found: ")
    assert "\nHint: Did you mean 'a.txt'?" in told_of(done)


async def test_a_wrong_call_does_not_keep_the_others_of_its_answer_from_being_made(stack):
    """Each goes by its own id: one is told what is wrong, the other what came of it."""
    both = (
        Wanted(tool="read_fil", arguments={"path": "a.txt"}, id="wrong"),
        Wanted(tool="read_file", arguments={"path": "a.txt"}, id="right"),
    )
    done = await stack.ended("Read it", Answer(calls=both), DONE, files=FILES)
    outputs = outputs_in(done.asked[1])
    assert list(outputs) == ["wrong", "right"]
    assert outputs["wrong"].startswith("Error tool_not_found")
    assert "one\ntwo" in outputs["right"]


async def test_a_text_cut_at_the_longest_is_no_answer_and_said_shorter(stack):
    """Half a sentence would be the run's result, as if it were whole."""
    long = Answer(text="It is a long", finish="length")
    done = await stack.ended("Say it", long, Answer(text="Short."), hears_all=True)
    assert (done.run.status, done.run.result.answer) == ("succeeded", "Short.")
    [feedback, _] = done.turns
    assert "cut off" in feedback.feedback
    assert any(feedback.feedback in said for said in done.asked[1].said)
    assert "".join(text for t, _, _, text in done.deltas if t == 2) == "Short."


async def test_calls_whose_arguments_were_cut_at_the_longest_are_not_made(stack):
    """Not even those before it, which were complete: the model makes its plan anew, in parts."""
    long = Answer(
        calls=(
            Wanted(tool="write_file", arguments={"path": "first.txt", "content": "1"}),
            Wanted(tool="write_file", arguments=BROKEN_OFF),
        ),
        finish="length",
        output_tokens=8192,
    )
    short = calls(("write_file", {"path": "short.txt", "content": "2\n"}))
    done = await stack.ended("Write", long, short, DONE, files=FILES)
    assert done.run.status == "succeeded"
    assert sorted(path.name for path in done.root.iterdir()) == ["a.txt", "short.txt"]
    assert [step.tool for step in done.run.steps] == ["write_file"]
    assert "none of its calls was made" in done.turns[0].feedback
    assert "in parts" in done.turns[0].feedback
    assert any(done.turns[0].feedback in said for said in done.asked[1].said)
    assert done.run.usage.output_tokens > 8192  # it was paid for


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_answer_is_asked_again(stack, text):
    """It neither ends a run nor breaks the conversation, in which providers allow none."""
    done = await stack.ended("Do it", Answer(text=text), READ, DONE, files=FILES)
    assert (done.run.status, done.run.result.answer) == ("succeeded", "Done.")
    assert "empty" in done.turns[0].feedback
    assert any(done.turns[0].feedback in said for said in done.asked[1].said)


async def test_a_model_that_answers_nothing_ever_is_given_up(stack):
    """After two more attempts, each of them a turn."""
    done = await stack.ended("Do it", *[Answer()] * 3, DONE)
    assert (done.run.status, done.run.error.code) == ("failed", "model_refused")
    assert "empty" in done.run.error.detail
    assert len(done.asked) == 3
