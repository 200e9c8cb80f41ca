"""The calls of a turn, as they are printed."""

import io
import json

import pytest
from rich.console import Console

from agentic.terminal.plans import MAX_RECEIPTS, as_json, show_call
from agentic.terminal.show import Display
from common.approvals.reviews import Preview
from common.errors import error
from tests.agentic.fake_plans import a_call, a_receipt

LINE = '  1  asks     write_1: write_file(path="src/a.txt", content="new")'


def printed(**more):
    """What is printed of a call."""
    file = io.StringIO()
    show_call(Display(Console(file=file, width=200)), a_call(**more))
    return file.getvalue().splitlines()


def test_a_call_that_asks_is_shown_with_its_diff():
    """The call, then what it changes."""
    assert printed() == [
        LINE, "--- a/src/a.txt", "+++ b/src/a.txt", "@@ -1 +1 @@", "-old", "+new",
    ]  # fmt: skip


def test_a_change_without_lines_is_shown_by_what_it_does():
    """Of what is deleted there is no diff, and it is no less a change."""
    receipts = [a_receipt("old.txt", operation="delete")]
    assert printed(preview=Preview(receipts=receipts)) == [LINE, "     delete old.txt"]
    many = [a_receipt(f"{n}", operation="delete") for n in range(MAX_RECEIPTS + 3)]
    assert printed(preview=Preview(receipts=many))[-1] == "     and 3 more"


def test_a_call_that_depends_on_another_is_shown_with_all_its_arguments():
    """There is no diff yet: they are all there is to decide by."""
    text = "x" * 500
    lines = printed(arguments={"content": text}, preview=Preview(depends_on_step=2))
    assert lines[1] == "     after step 2, which changes the same files; with"
    assert f'       "content": "{text}"' in lines


def test_a_call_that_cannot_be_made_says_why():
    """As things are; a person may still edit it."""
    failure = error("path_not_found", "'a' does not exist").problem("orchestrator", None)
    assert printed(preview=Preview(error=failure)) == [
        LINE,
        "     'a' does not exist [path_not_found]",
    ]


@pytest.mark.parametrize(
    ("more", "second"),
    [
        ({"state": "rejected", "reason": "not\nthere"}, "     reason: not there"),
        (
            {"state": "deferred"},
            "     asks when it is reached: it depends on what an earlier step gives",
        ),
        ({"state": "approved"}, None),
    ],
)
def test_what_does_not_ask_is_shown_by_its_state(more, second):
    """Its diff was shown when it asked."""
    first, *others = printed(**more)
    assert first.startswith(f"  1  {more['state']}")
    assert others == ([] if second is None else [second])


def test_nothing_of_a_plan_steers_a_terminal():
    """Names, diffs, reasons and arguments come from a model and from files."""
    evil = "\x1b[2J\x9b31m\u202e"
    calls = [
        {"arguments": {"path": evil}, "preview": Preview(diff=f"+{evil}\n")},
        {"arguments": {"path": evil}, "preview": Preview(depends_on_step=1)},
        {"state": "rejected", "reason": evil},
        {"preview": Preview(receipts=[a_receipt(evil)])},
    ]
    for call in calls:
        assert all(line.isprintable() for line in printed(**call))


def test_arguments_for_the_editor_are_the_same_and_harmless():
    """What is not to be seen is an escape of JSON's own."""
    arguments = {"a": "\x9b31m\u202e ☃ \U000e0001\n", "b": [None, 1.5]}
    text = as_json(arguments)
    assert json.loads(text) == arguments
    assert "☃" in text
    assert all(char.isprintable() or char == "\n" for char in text)
