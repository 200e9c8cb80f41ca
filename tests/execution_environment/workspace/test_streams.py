"""Files that come in and go out in pieces."""

import os

import pytest

from execution_environment.workspace.streams import modified_at
from tests.execution_environment.conftest import workspace_over


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_a_file_of_a_year_without_a_date_has_the_nearest_one(seconds):
    """Any program in the workspace can set such a time; listing it was a fault."""
    status = os.stat_result((0,) * 8 + (seconds, 0))
    assert modified_at(status).year in (1, 9999)


async def test_an_upload_that_is_cut_off_writes_to_nobody_elses_file(parts, demo):
    """Its last piece may still be in a thread when the request goes: then it has nowhere to go."""
    workspace = workspace_over(parts.sandbox)
    incoming = workspace.change.receive()
    incoming.write(b"first")
    workspace.change.cleanup()
    with (demo / "other").open("wb"), pytest.raises(AssertionError):
        incoming.write(b"late")
    assert (demo / "other").read_bytes() == b""
