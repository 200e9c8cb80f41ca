"""The official client on the shared services, in both eras, and raw requests to them."""

from functools import partial

import httpx
import pytest

from tests.system.mcp.clients import ERAS, connected


@pytest.fixture(params=ERAS)
def era(request):
    """Each era of the protocol in turn."""
    return request.param


@pytest.fixture
def mcp(shared, era):
    """Return the official client on the shared services, to be entered by the test itself.

    Its scopes belong to one task, and a fixture is ended by another.
    """
    return partial(connected, shared.main, era=era)


@pytest.fixture
async def raw(shared):
    """Plain HTTP to the shared orchestrator."""
    async with httpx.AsyncClient(base_url=shared.main.url, trust_env=False, timeout=60) as http:
        yield http
