"""What came of a step, as a model reads it: cut where it is long, and never without saying so."""

import pytest

from common.errors import ToolError
from orchestrator.planners.llm.context.cutting import cut
from orchestrator.planners.llm.context.outputs import output_text
from tests.orchestrator.builders import receipt, step

ENTRY = {"path": "src", "type": "directory", "size": 0, "modified_at": "2026-01-01T00:00:00Z"}
MATCH = {
    "path": "a.py",
    "line": 7,
    "column": 1,
    "text": "import x",
    "before": ["# b"],
    "after": ["y"],
}
PROBLEM = ToolError("binary_file", "no text").problem("execution_environment", None)


def text_of(tool, most=10_000, receipts=(), **output):
    """Return what a model reads of an output."""
    made = step(name="s", tool=tool, status="succeeded", output=output, receipts=list(receipts))
    return output_text(made, most)


@pytest.mark.parametrize(
    ("tool", "output", "text"),
    [
        ("read_file", {"content": "x\ny\n", "start_line": 1, "end_line": 2, "total_lines": 9, "truncated": True},
         "x\ny\n\n[… more follows: read on with start_line=3 …]"),
        ("read_file", {"content": "", "start_line": 1, "end_line": 0, "total_lines": 0}, "(the file is empty)"),
        ("read_file", {"content": "", "start_line": 9, "end_line": 8, "total_lines": 3},
         "(the file ends before that)"),
        ("read_file", {"content": "", "start_line": 9, "end_line": 8}, "(the file ends before that)"),
        ("read_files", {"files": [{"path": "a", "content": "x"}, {"path": "b", "error": PROBLEM.model_dump()}]},
         "== a\nx\n== b\nError binary_file: no text\nHint: Read it with encoding 'base64'."),
        ("list_directory", {"entries": [ENTRY, {**ENTRY, "path": "a", "type": "file", "size": 3}], "next_cursor": "a"},
         'src/\na (3 bytes)\n[… more follow: cursor="a" …]'),
        ("find_files", {"entries": [], "next_cursor": None}, "(nothing there)"),
        ("search_files", {"matches": [MATCH], "total": 3},
         "a.py-6-# b\na.py:7:import x\na.py-8-y\n[… 2 further matches …]"),
        ("write_file", {"diff": ""}, "(nothing has changed by it)"),
        ("edit_file", {"diff": "-a\n+b\n", "counts": [1]}, "-a\n+b"),
        ("get_file_info", {"path": "a", "size": 3}, '{"path":"a","size":3}'),
        ("read_file", {"another": "service"}, '{"another":"service"}'),
    ],
)  # fmt: skip
def test_an_output_is_text_that_a_model_reads_well(tool, output, text):
    """As JSON, a file's lines are one line with escapes, and cost half as much again."""
    first, *lines, last = text_of(tool, **output).split("\n")
    assert first.startswith("<tool_output")
    assert "\n".join(lines) == text
    assert last == "</tool_output>"


def test_a_change_without_an_output_tells_what_it_changed():
    """An empty object says nothing."""
    made = [receipt("b", "1"), receipt("a", None)]
    assert "done\ncreate b\ndelete a" in text_of("move_path", receipts=made, skipped=[])
    assert "done\ndelete a" in text_of("delete_path", receipts=made[1:], deleted=1)


def test_a_call_that_changed_nothing_is_not_told_as_done():
    """A model that has moved a file onto itself would take its task for done."""
    assert "nothing has changed" in text_of("move_path", skipped=[])
    assert "nothing has changed" in text_of("create_directory")
    assert "done" in text_of("another_services_tool")


def test_of_a_long_file_head_and_tail_are_shown_and_how_to_read_the_rest():
    """By the file's own line numbers, wherever the window began."""
    content = "".join(f"line {n}\n" for n in range(101, 1101))
    text = text_of("read_file", 1000, content=content, start_line=101, end_line=1100, total_lines=2000)  # fmt: skip
    assert len(text) < 1300
    assert text.startswith('<tool_output lines="101-1100 of 2000">\nline 101\n')
    assert "\nline 1100\n</tool_output>" in text
    shown = [int(line.split()[1]) for line in text.split("\n") if line.startswith("line ")]
    missing = sorted(set(range(101, 1101)) - set(shown))
    assert f"lines {missing[0]}-{missing[-1]} (" in text
    assert f"start_line={missing[0]}" in text
    assert missing == list(range(missing[0], missing[-1] + 1))


def test_of_one_long_line_the_characters_are_counted():
    """There are no lines to ask for."""
    text = text_of("read_file", 300, content="x" * 1000, start_line=1, end_line=1)
    assert "700 characters left out" in text
    assert "offset" in text


def test_an_error_is_told_with_what_would_help_and_in_bounded_words():
    """The hash to base the next change on is in its context."""
    error = ToolError("hash_mismatch", "x" * 5000, path="a", current_sha256="abc")
    problem = error.problem("execution_environment", None)
    text = output_text(step(status="failed", error=problem), 10_000)
    assert text.startswith("Error hash_mismatch: xxx")
    assert '{"current_sha256":"abc"}' in text
    assert "Hint: Read it again" in text
    assert len(text) < 1500


@pytest.mark.parametrize("most", [0, 1, 2, 10, 50])
@pytest.mark.parametrize(
    "text", ["", "\n" * 100, "ab\ncd\n" * 40, "x" * 100, "x" * 60 + "\n" + "y" * 60]
)
def test_a_cut_leaves_out_what_it_says_and_keeps_the_rest(text, most):
    """Whatever the text looks like."""
    noted = []

    def note(left_out):
        noted.append(left_out)
        return "…"

    shown = cut(text, most, note)
    if not noted:
        assert shown == text
        return
    kept = shown.replace("[… … …]\n", "", 1)
    [left_out] = noted
    assert left_out.characters in (len(text) - len(kept), len(text) - len(kept) + 1)
    assert len(kept) <= most + 1
