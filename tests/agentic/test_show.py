"""What the command prints, on a terminal and off it."""

import io

import pytest
from rich.console import Console

from agentic.show import Display, harmless
from common.errors import error
from common.runs import RunResult
from tests.agentic.fakes import a_run, a_step, an_event

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


def test_readable_text_stays_as_it_is():
    """Only what steers is escaped."""
    assert harmless("käse ☃ 日本\tx\n") == "käse ☃ 日本\tx\n"
