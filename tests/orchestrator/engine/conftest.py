"""What tests of approvals share: an execution environment in this process."""

import pytest

from tests.orchestrator.engine.world import Files, opened_parts


@pytest.fixture
async def files(tmp_path):
    """The execution environment's own parts over files on the disk."""
    parts = opened_parts(tmp_path / "data")
    yield Files(parts, tmp_path / "data")
    await parts.close()
