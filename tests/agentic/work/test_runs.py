"""Runs on a directory: what is offered of what they change, and when."""

import io

import pytest
from rich.console import Console

from agentic.terminal.show import Display
from agentic.work.here import Here
from agentic.work.runs import DirectoryRuns, Taking
from agentic.work.target import Target
from tests.agentic.fakes import a_run


@pytest.mark.parametrize("status", ["awaiting_approval", "awaiting_input"])
async def test_what_a_run_that_waits_has_changed_is_not_offered(tmp_path, status):
    """It is half of its work, taken unasked at that: what to do is said instead."""
    directory = tmp_path / "my files"
    directory.mkdir()
    file = io.StringIO()
    here = Here(Target("http://127.0.0.1:1", None), directory)
    taking = Taking(is_sure=True)
    async with here.target.client() as client:
        runs = DirectoryRuns(client, Display(Console(file=file, width=500)), here, taking)
        assert await runs.after(a_run(status=status)) is False
    assert file.getvalue() == f"answer it, then: agentic pull '{directory}'\n"
