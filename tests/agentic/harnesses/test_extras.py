"""The frameworks are extras, and a harness says which one is missing."""

import pytest

from tests.agentic.test_client_alone import run_without


@pytest.mark.parametrize(
    ("room", "module", "extra"),
    [("pydantic_ai", "pydantic_ai", "pydantic-ai"), ("deepagents", "deepagents", "deepagents")],
)
def test_a_harness_without_its_framework_names_the_extra(room, module, extra):
    """Who reads 'No module named …' does not know of extras."""
    done = run_without({module}, f"import agentic.harnesses.{room}\n")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"pip install 'agentic-framework[{extra}]'" in last


@pytest.mark.parametrize(
    ("room", "others"), [("pydantic_ai", "deepagents"), ("deepagents", "pydantic_ai")]
)
def test_a_harness_needs_no_other_framework(room, others):
    """The control, and what the extras promise."""
    done = run_without({others}, f"import agentic.harnesses.{room}\n")
    assert (done.returncode, done.stderr) == (0, "")
