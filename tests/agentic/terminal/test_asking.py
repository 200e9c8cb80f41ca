"""A person at a terminal decides about a turn: each answer, and what comes between."""

import io
import json
import stat

import httpx
import pytest
from rich.console import Console

from agentic.terminal.asking import TO_ALL, Asker
from agentic.terminal.editing import EditorError
from agentic.terminal.plans import as_json
from agentic.terminal.prompt import Interrupted
from agentic.terminal.running import Order, run_and_show
from agentic.terminal.show import Display
from common.approvals.reviews import Preview
from common.errors import ClientError, error
from tests.agentic.fake_plans import AWAITS, ENDED, Waiting, a_call, a_plan, a_receipt
from tests.agentic.fakes import RUN_ID, SESSION, a_run, an_event

THREE = [a_call(1), a_call(2, "src/b.txt"), a_call(3, "docs/c.txt")]


class Lines:
    """A person who types these lines; an exception is what the terminal raises."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.labels = []

    def read(self, label):
        """The next line, until there is none."""
        self.labels.append(label)
        line = self.lines.pop(0) if self.lines else None
        if isinstance(line, Exception):
            raise line
        return line


class Editor:
    """An editor in which these changes are made, one for each time that it is opened."""

    def __init__(self, *changes):
        self.changes = list(changes)
        self.opened = []

    def __call__(self, text):
        """Keep what it was opened with; an exception is one of the editor's."""
        self.opened.append(text)
        change = self.changes.pop(0)
        if isinstance(change, Exception):
            raise change
        return change(text)


def content(text):
    """Type another content."""
    return lambda before: json.dumps(json.loads(before) | {"content": text})


@pytest.fixture
def decide(connect):
    """Run on an orchestrator whose turn waits; return the run, and what was printed."""

    async def decide(orchestrator, *lines, edit=None):
        file = io.StringIO()
        display = Display(Console(file=file, width=200))
        reader = lines[0] if isinstance(lines[0], Lines) else Lines(*lines)
        decided = Asker(reader, edit or Editor()).decide
        client = await connect(orchestrator)
        run = await run_and_show(client, display, Order(goal="x"), workspace="demo", decide=decided)
        return run, file.getvalue()

    return decide


async def test_a_turn_is_shown_and_done_when_a_person_says_yes(decide):
    """The diff first, then the question; the run goes on to its end."""
    orchestrator, lines = Waiting(), Lines("y")
    run, printed = await decide(orchestrator, lines)
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1]})]
    assert printed.splitlines()[:2] == [
        '  1  asks     write_1: write_file(path="src/a.txt", content="new")',
        "--- a/src/a.txt",
    ]
    assert (run.status, TO_ALL in lines.labels[0]) == ("succeeded", False)


async def test_what_is_rejected_carries_the_reason(decide):
    """An empty one is none."""
    for typed, sent in (("  Not there. ", {"reason": "Not there."}), ("", {})):
        orchestrator = Waiting()
        await decide(orchestrator, "no", typed)
        assert orchestrator.answers == [(1, {"decision": "reject", "steps": [1], **sent})]


async def test_the_answers_to_a_turn_are_sent_together_once_all_are_given(decide):
    """One approval, one rejection for each reason; the second is about the plan after the first."""
    orchestrator = Waiting(a_plan(*THREE, a_call(4, "d.txt")))
    await decide(orchestrator, "y", "n", "bad", "y", "n", "bad")
    assert orchestrator.answers == [
        (1, {"decision": "reject", "steps": [2, 4], "reason": "bad"}),
        (2, {"decision": "approve", "steps": [1, 3]}),
    ]


@pytest.mark.parametrize(
    ("lines", "steps"), [(["Y"], [[1, 2, 3]]), (["n", "", "Y"], [[1], [2, 3]])]
)
async def test_yes_to_all_leaves_what_was_answered_before(decide, lines, steps):
    """And it is offered where there are several."""
    orchestrator, reader = Waiting(a_plan(*THREE)), Lines(*lines)
    await decide(orchestrator, reader)
    assert [body["steps"] for _, body in orchestrator.answers] == steps
    assert TO_ALL in reader.labels[0]


async def test_all_like_this_is_remembered_for_the_tool_and_the_place(decide):
    """What else of the turn is like it needs no answer of its own; the rule is said before it is sent."""
    orchestrator = Waiting(a_plan(*THREE))
    _, printed = await decide(orchestrator, "a", "y")
    remember = {"tool": "write_file", "path": "src/**"}
    assert orchestrator.answers == [
        (1, {"decision": "approve", "steps": [3]}),
        (2, {"decision": "approve", "steps": [1, 2], "remember": remember}),
    ]
    assert "without asking from now on, in this session: write_file on 'src/**'" in printed


async def test_a_call_in_two_places_is_approved_and_not_remembered(decide):
    """A rule that allows both would allow much more."""
    receipts = [a_receipt("src/a.txt"), a_receipt("docs/b.txt")]
    orchestrator = Waiting(a_plan(a_call(preview=Preview(receipts=receipts))))
    _, printed = await decide(orchestrator, "a")
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1]})]
    assert "no one place" in printed


@pytest.mark.parametrize("lines", [["q"], ["later"], [None], ["nonsense", "", "q"], ["n", None]])
async def test_who_leaves_it_for_later_answers_nothing(decide, lines):
    """What was said of other calls is not sent either: a turn is decided as a whole. Ctrl-D is no reason."""
    orchestrator = Waiting(a_plan(*THREE))
    run, printed = await decide(orchestrator, "y", *lines)
    assert orchestrator.answers == []
    assert run.status == "awaiting_approval"
    assert "nothing was answered" in printed
    assert f"agentic approve {SESSION.id}/{RUN_ID}" in printed


async def test_who_leaves_after_an_edit_is_told_that_it_stays(decide):
    """It was sent at once."""
    _, printed = await decide(Waiting(), "e", "q", edit=Editor(content("better")))
    assert "nothing was answered, edits stay" in printed


@pytest.mark.parametrize("lines", [[Interrupted()], ["n", Interrupted()]])
async def test_ctrl_c_at_the_question_cancels_the_run(decide, lines):
    """As at any question of a run."""
    orchestrator = Waiting(events=[AWAITS, None, an_event(3, "run.cancelled")])
    await decide(orchestrator, *lines)
    assert (orchestrator.answers, len(orchestrator.said("cancel"))) == ([], 1)


async def test_edited_arguments_are_previewed_and_asked_again(decide):
    """What is approved then is the plan with them."""
    orchestrator, editor = Waiting(), Editor(content("better"))
    _, printed = await decide(orchestrator, "e", "y", edit=editor)
    [(revision, body)] = orchestrator.edits
    assert (revision, body["calls"]) == (
        1,
        [{"n": 1, "arguments": {"path": "src/a.txt", "content": "better"}}],
    )
    assert "+better" in printed
    assert "(edited)" in printed
    assert orchestrator.answers == [(2, {"decision": "approve", "steps": [1]})]


async def test_an_edit_keeps_the_answers_to_calls_that_it_leaves_as_they_were(decide):
    """And asks again where it does not."""
    orchestrator = Waiting(a_plan(*THREE))
    await decide(orchestrator, "y", "e", "y", "y", edit=Editor(content("b")))
    assert orchestrator.answers == [(2, {"decision": "approve", "steps": [1, 2, 3]})]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": NaN}', '{"a": 1, "a": 2}', ""])
async def test_what_is_no_json_is_shown_and_edited_on(decide, text):
    """Nothing typed is lost, and nothing of it is sent."""
    orchestrator, editor = Waiting(), Editor(
        lambda _: text, lambda _: '{"path": "b", "content": "c"}'
    )
    _, printed = await decide(orchestrator, "e", "y", "y", edit=editor)
    assert editor.opened[1] == text
    assert "[malformed_request]" in printed
    assert len(orchestrator.edits) == 1


async def test_arguments_that_are_refused_can_be_corrected_or_given_up(decide):
    """Who gives up is asked about the call as it was, and finds the text in the next edit."""
    orchestrator, editor = Waiting(), Editor(content("bad"), content("good"))
    orchestrator.refusals = [error("invalid_arguments", "'content' is wrong")]
    _, printed = await decide(orchestrator, "e", "n", "e", "y", edit=editor)
    assert "'content' is wrong [invalid_arguments]" in printed
    assert json.loads(editor.opened[1])["content"] == "bad"
    assert orchestrator.answers == [(2, {"decision": "approve", "steps": [1]})]


async def test_an_edit_that_changes_what_another_call_does_has_that_asked_again(decide):
    """It was approved for what it did before."""

    class Shifting(Waiting):
        def _edited(self, given, body):
            super()._edited(given, body)
            self.replace(a_call(1, text="shifted"))
            return httpx.Response(200, content=self.plan.model_dump_json())

    orchestrator = Shifting(a_plan(*THREE[:2]))
    _, printed = await decide(orchestrator, "y", "e", "n", "", "y", edit=Editor(content("b")))
    assert "+shifted" in printed
    said = [(body["decision"], body["steps"]) for _, body in orchestrator.answers]
    assert said == [("reject", [1]), ("approve", [2])]


async def test_arguments_that_were_taken_are_edited_as_they_are_now(decide):
    """The service may have them written another way than they were typed."""
    editor = Editor(content("better"), lambda text: text)
    await decide(Waiting(), "e", "e", "y", edit=editor)
    assert editor.opened[1] == as_json({"path": "src/a.txt", "content": "better"})


async def test_arguments_that_are_left_as_they_are_are_not_sent(decide):
    """It would be an edit of nothing."""
    orchestrator = Waiting()
    _, printed = await decide(orchestrator, "e", "y", edit=Editor(lambda text: text))
    assert "nothing was changed" in printed
    assert orchestrator.edits == []


async def test_an_editor_that_fails_is_told_and_keeps_the_text(decide):
    """It is asked again about the call."""
    editor = Editor(EditorError("it ended with 1", "typed"), lambda _: "{}")
    orchestrator = Waiting()
    orchestrator.refusals = [error("invalid_arguments", "no")]
    _, printed = await decide(orchestrator, "e", "y", "n", "y", edit=editor)
    assert "it ended with 1" in printed
    assert editor.opened[1] == "typed"
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1]})]


async def test_an_edit_that_does_not_arrive_is_told_and_kept(decide):
    """The server is away for a moment: what was typed is opened again, and sent."""
    orchestrator, editor = Waiting(), Editor(content("mine"), lambda text: text)
    orchestrator.refusals = [error("unavailable", "down")]
    _, printed = await decide(orchestrator, "e", "y", "y", edit=editor)
    assert "down [unavailable]" in printed
    assert json.loads(editor.opened[1])["content"] == "mine"
    assert orchestrator.edits[1][1]["calls"][0]["arguments"]["content"] == "mine"
    assert "not taken" not in printed


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Read what was kept in files, by the names that were said."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def read(printed):
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
        assert all(str(path) in printed for path in tmp_path.iterdir())
        return [path.read_text() for path in tmp_path.iterdir()]

    return read


@pytest.mark.parametrize("last", [["n", "q"], ["n", None], [None], ["n", "n", None]])
async def test_who_leaves_is_told_where_the_text_is_kept(decide, kept, last):
    """An edit that was not taken may be an hour's work."""
    orchestrator = Waiting()
    orchestrator.refusals = [error("invalid_arguments", "no")]
    typed = Editor(lambda _: '{"content": "mine"}')
    _, printed = await decide(orchestrator, "e", *last, edit=typed)
    assert kept(printed) == ['{"content": "mine"}']
    assert orchestrator.answers == []


async def test_ctrl_c_keeps_the_text_as_well(decide, kept):
    """However the turn is left."""
    events = [AWAITS, None, an_event(3, "run.cancelled")]
    _, printed = await decide(
        Waiting(events=events), "e", Interrupted(), edit=Editor(lambda _: "typed")
    )
    assert kept(printed) == ["typed"]


async def test_where_somebody_else_has_answered_the_text_is_kept(decide, kept):
    """It was for a call that is decided, and is still somebody's work."""
    orchestrator = Waiting()
    orchestrator.meanwhile = lambda it: it.answer({"decision": "approve"})
    _, printed = await decide(orchestrator, "e", edit=Editor(content("mine")))
    assert [json.loads(text)["content"] for text in kept(printed)] == ["mine"]


@pytest.mark.parametrize(
    "edit", [lambda text: text, EditorError("none", as_json(a_call().arguments))]
)
async def test_nothing_is_kept_where_nothing_was_typed_or_the_call_has_its_answer(
    decide, kept, edit
):
    """A file for each slip of a key would be litter."""
    lines = ["e", "n", "q"] if isinstance(edit, Exception) else ["e", "q"]
    _, printed = await decide(Waiting(), *lines, edit=Editor(edit))
    assert kept(printed) == []
    _, printed = await decide(Waiting(), "e", "n", "y", edit=Editor(lambda _: "{"))
    assert kept(printed) == []


async def test_a_text_that_cannot_be_kept_is_told(decide, monkeypatch):
    """The disk is full, say."""
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    _, printed = await decide(Waiting(), "e", "n", "q", edit=Editor(lambda _: "{"))
    assert "what was typed for step 1 cannot be kept: No such file or directory" in printed


@pytest.mark.parametrize("lines", [["y"], ["e"]])
async def test_where_somebody_else_was_faster_the_plan_is_shown_as_it_is_now(decide, lines):
    """Nothing is approved that was not shown."""

    def edit_it(orchestrator):
        orchestrator.replace(a_call(text="theirs", is_edited=True))

    orchestrator = Waiting()
    orchestrator.meanwhile = edit_it
    _, printed = await decide(orchestrator, *lines, "y", edit=Editor(content("mine")))
    assert "[precondition_failed]" in printed
    assert "+theirs" in printed.partition("The plan as it is now:")[2]
    assert orchestrator.answers == [(2, {"decision": "approve", "steps": [1]})]


async def test_what_was_typed_for_an_edited_call_is_offered_for_the_call_as_it_is_now(decide):
    """Somebody else's edit came first."""
    orchestrator, editor = Waiting(), Editor(content("mine"), lambda text: text)
    orchestrator.meanwhile = lambda it: it.replace(a_call(text="theirs"))
    await decide(orchestrator, "e", "e", "y", edit=editor)
    assert json.loads(editor.opened[1])["content"] == "mine"


async def test_where_somebody_else_has_answered_the_run_is_followed(decide):
    """There is nothing to ask any more."""
    orchestrator = Waiting()
    orchestrator.meanwhile = lambda it: it.answer({"decision": "approve"})
    run, printed = await decide(orchestrator, "y")
    assert "[precondition_failed]" in printed
    assert (orchestrator.answers, run.status) == ([], "succeeded")


async def test_answers_of_which_one_comes_too_late_are_not_sent_again_unseen(decide):
    """After the first of two requests somebody edits what the second is about."""
    orchestrator = Waiting(a_plan(*THREE[:2]))
    answered = orchestrator.answer

    def answer(body):
        answered(body)
        orchestrator.answer = answered
        orchestrator.replace(a_call(2, "src/b.txt", "theirs"))

    orchestrator.answer = answer
    _, printed = await decide(orchestrator, "n", "", "y", "n", "why")
    assert "+theirs" in printed
    assert orchestrator.answers == [
        (1, {"decision": "reject", "steps": [1]}),
        (3, {"decision": "reject", "steps": [2], "reason": "why"}),
    ]


async def test_an_answer_that_is_refused_ends_following(decide):
    """The run waits still, and nobody would ask again."""
    orchestrator = Waiting()
    orchestrator.refusal = error("forbidden", "no")
    with pytest.raises(ClientError, match="forbidden"):
        await decide(orchestrator, "y")


async def test_a_plan_that_waits_without_asking_is_left(decide):
    """An odd server must not keep the command busy for ever."""
    run, _ = await decide(Waiting(a_plan(a_call(state="deferred"))), "y")
    assert run.status == "awaiting_approval"


async def test_a_turn_that_was_answered_meanwhile_is_not_asked(decide):
    """Events tell of what was: who follows a run later sees them all."""
    orchestrator = Waiting(a_plan(is_waiting=False), events=[AWAITS, ENDED], run=a_run())
    lines = Lines("y")
    await decide(orchestrator, lines)
    assert lines.labels == []


async def test_a_later_turn_is_asked_at_its_own_event(decide):
    """Before that nothing of what was said in it is shown."""
    later = an_event(4, "run.awaiting_approval", t=2, plan_revision=1, steps=[1])
    told = an_event(3, "message.received", text="the second turn")
    orchestrator = Waiting(a_plan(t=2), events=[AWAITS, told, later, None, ENDED])
    _, printed = await decide(orchestrator, "y")
    assert printed.index("the second turn") < printed.index("write_1")
    assert len(orchestrator.answers) == 1


async def test_a_turn_that_a_gap_tells_is_asked(decide):
    """The event itself was trimmed."""
    waiting = a_run(status="awaiting_approval", finished_at=None).model_dump(mode="json")
    gap = an_event(5, "gap", from_seq=1, to_seq=5, run=waiting)
    orchestrator = Waiting(events=[gap, None, ENDED])
    await decide(orchestrator, "y")
    assert len(orchestrator.answers) == 1
