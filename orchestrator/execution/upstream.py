"""All ways to the execution environment, opened together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from orchestrator.execution.client import ExecutionClient, open_client, open_http
from orchestrator.execution.transfers import MAX_TRANSFERS, Transfers
from orchestrator.execution.workspaces import Workspaces


@dataclass(frozen=True)
class Upstream:
    """Tool calls; files of any size; workspaces as things of their own."""

    calls: ExecutionClient
    transfers: Transfers
    workspaces: Workspaces


@asynccontextmanager
async def open_upstream(
    url: str, token: SecretStr, transfer_timeout: timedelta
) -> AsyncIterator[Upstream]:
    """Yield the ways; their connections close with the context.

    What takes long has connections of its own: no call of a run waits for somebody's large file.
    """
    async with open_client(url, token) as calls, open_http(url, token, MAX_TRANSFERS) as http:
        yield Upstream(calls, Transfers(http, transfer_timeout), Workspaces(http))
