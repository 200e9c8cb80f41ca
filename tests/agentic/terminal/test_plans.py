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

ARGUMENTS = ["     {", '       "path": "src/a.txt",', '       "content": "new"', "     }"]
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
        *ARGUMENTS,
    ]


@pytest.mark.parametrize("preview", [None, Preview()])
def test_a_call_that_changes_nothing_is_shown_with_all_its_arguments(preview):
    """A read that is asked about: in its line they are cut, and there is nothing else to decide by."""
    text = "x" * 500
    lines = printed(tool="search_files", arguments={"pattern": text}, preview=preview)
    assert lines[1:] == ["     {", f'       "pattern": "{text}"', "     }"]


def test_what_a_tool_would_tell_is_shown_where_it_has_no_diff():
    """A directory's receipt is one line, however much goes with it."""
    receipts = [a_receipt("old", operation="delete")]
    output = {"deleted": 31, "a\nb": "c\nd" + "x" * 5000}
    lines = printed(preview=Preview(receipts=receipts, output=output))
    assert lines[1:3] == ["     delete old", "     deleted: 31"]
    assert lines[3].startswith('     a b: "c\\nd')
    assert (len(lines), lines[3][-1]) == (4, "…")
    assert "     deleted: 31" not in printed(preview=Preview(diff="+x\n", output=output))


@pytest.mark.parametrize(
    "told", ["Binary file 'src/a' differs", "File 'src/a' differs: too long to compare"]
)
def test_a_file_whose_lines_are_not_shown_is_told_with_its_size(told):
    """And where to see what would be written."""
    receipts = [a_receipt("src", size=None), a_receipt("src/a", size=77)]
    assert printed(preview=Preview(diff=f"{told}\n", receipts=receipts))[1:] == [
        told,
        "     src/a: 77 bytes",
        "     [e]dit shows all of its arguments",
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
