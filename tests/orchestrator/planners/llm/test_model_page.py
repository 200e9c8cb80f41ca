"""docs/models.md names settings and errors that there are."""

import re
from pathlib import Path

from common.error_table import ERRORS
from orchestrator.settings import Settings

PAGE = (Path(__file__).parents[4] / "docs/models.md").read_text()


def test_the_page_on_models_names_every_setting_of_them_and_no_other():
    """A setting that the service refuses would be worse than none."""
    named = set(re.findall(r"ORCHESTRATOR_[A-Z_]+", PAGE))
    there = set(Settings.variables())
    assert named <= there
    assert {name for name in there if name.startswith("ORCHESTRATOR_MODEL")} <= named


def test_the_page_on_models_names_errors_that_there_are():
    """Who looks one up in the table finds it."""
    rows = re.findall(r"^\|.*?\| `(\w+)` \| (?:yes|no) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 6
    assert set(rows) <= set(ERRORS)
