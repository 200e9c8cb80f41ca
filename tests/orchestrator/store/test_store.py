"""The store as it is opened."""

import pytest

from common.errors import SystemFault
from orchestrator.store.backend import StoreConfig
from orchestrator.store.store import open_store


async def test_store_that_is_away_may_come_back(tmp_path):
    """The service starts, and is not ready."""
    async with open_store(f"unix://{tmp_path}/nothing", "test", StoreConfig()) as store:
        with pytest.raises(SystemFault, match="cannot be reached"):
            await store.ping()
