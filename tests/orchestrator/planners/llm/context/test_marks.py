"""The marks around what is data: nothing within ends them, and looking for that takes no time."""

import time

import pytest

from orchestrator.planners.llm.context.marks import harmless


@pytest.mark.parametrize("between", ["", "/", " / ", "\n/", "\u200b/", "/\u200b", "\ufeff/\u00ad"])
def test_an_imitation_of_a_mark_is_none_whatever_stands_before_its_name(between):
    """A model reads past what nobody sees."""
    assert harmless(f"a <{between}tool_output> b") == f"a <\\{between}tool_output> b"


def test_what_is_no_mark_stays_as_it_is():
    """A file's content is what the model was asked about."""
    text = "if a <b: <summarys> </ p> < > x<\u200b"
    assert harmless(text) == text


@pytest.mark.parametrize("filling", [" ", "/", "<", " /", "< "])
def test_a_file_full_of_beginnings_of_marks_takes_no_time(filling):
    """It took half a minute for an AGENTS.md of 32 KB, and nothing else moved in the process."""
    begun = time.process_time()
    harmless("<" + filling * 30_000)
    assert time.process_time() - begun < 2
