"""Arguments that a tool would refuse are told as whoever wrote them can mend them."""

import pytest

from execution_environment.calls.registry import discover
from orchestrator.planners.argument_check import MAX_SHOWN, ArgumentCheck

CHECK = ArgumentCheck({name: tool.spec for name, tool in discover().items()})


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("read_file", {"path": "a", "start_line": 2}, []),
        ("read_file", {"path": "a", "start_line": 0}, []),
        ("read_file", {"path": "a", "start_line": -1}, [("start_line", "breaks the tool's schema: minimum 0")]),
        ("edit_file", {"path": "a", "edits": [{"old_text": "a", "new_text": "b", "replace_all": True}]}, []),
        ("write_file", {"mode": "create"}, [("", "needs path, content")] * 2),
        ("read_file", {"path": "a", "n": 1, "m": 2}, [("", "takes no n, m")]),
        ("read_file", {"path": 1}, [("path", "has to be of type string")]),
        ("read_file", {"path": "a", "max_lines": "5"}, [("max_lines", "has to be of type integer")]),
        ("find_files", {"glob": "*", "limit": 0}, [("limit", "breaks the tool's schema: minimum 1")]),
        ("read_file", {"path": {"$from": "a/output"}}, [("path", "has to be of type string")]),
        ("edit_file", {"path": "a", "edits": [{"old_text": "a"}]}, [("edits.0", "needs new_text")]),
        (
            "edit_file",
            {"path": "a", "edits": [{"insert_at_line": "x", "text": "y"}]},
            [("edits.0", "insert_at_line: has to be of type integer")],
        ),
    ],
)  # fmt: skip
def test_argument_check_says_which_rule_is_broken_and_where(tool, arguments, told):
    """A model that reads `anyOf [{'$ref': …` makes the same call again."""
    errors = list(CHECK.errors(tool, arguments, ()))
    assert [(error.field, error.message) for error in errors] == told


def test_argument_check_repeats_no_value_and_no_more_of_a_name_than_a_line():
    """A value may be a secret, and a name as long as the call."""
    arguments = {"path": "a", "mode": "hush-hush", "content": ["hush-hush"], "x" * 1000: 1}
    errors = list(CHECK.errors("write_file", arguments, ()))
    assert len(errors) == 3
    assert not any("hush-hush" in error.message for error in errors)
    assert max(len(error.message) for error in errors) <= MAX_SHOWN
