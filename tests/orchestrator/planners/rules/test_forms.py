"""The forms that a refusal names."""

import pytest

from orchestrator.planners.rules.forms import FORMS
from orchestrator.planners.rules.parser import parse


@pytest.mark.parametrize("form", FORMS.values())
def test_forms_that_a_hint_names_are_understood(form):
    """A refusal must not lead to the next one."""
    assert parse(form)
