"""docs/rules.md is a table of sentences and what each does: here it is held to it."""

import re
from pathlib import Path

import pytest

from common.errors import ClientError
from orchestrator.planners.rules.parser import parse
from tests.orchestrator.planners.rules.world import calls_of

PAGE = (Path(__file__).parents[4] / "docs/rules.md").read_text()
_ROW = re.compile(r"^\| `(.+)` \| `(.+)` \|$", re.MULTILINE)
UNDERSTOOD, REFUSED = (_ROW.findall(part) for part in PAGE.split("\n## Refused\n"))


def test_page_of_sentences_is_long():
    """The tests below would be empty if the page were read wrongly."""
    assert (len(UNDERSTOOD) >= 200, len(REFUSED) >= 60) == (True, True)


@pytest.mark.parametrize(("sentence", "calls"), UNDERSTOOD)
async def test_sentence_does_what_the_page_says(sentence, calls):
    """Every call that it makes, with its arguments; and it comes to an answer."""
    assert "; ".join(await calls_of(sentence)) == calls


@pytest.mark.parametrize(("sentence", "form"), REFUSED)
def test_sentence_without_one_meaning_is_refused(sentence, form):
    """A guess would be reported as success; the hint names the nearest form, which is understood."""
    with pytest.raises(ClientError) as caught:
        parse(sentence)
    assert caught.value.code == "goal_not_understood"
    assert f"a form like: {form}?" in caught.value.hint
    for goal in form.split(", or "):
        assert parse(goal)
