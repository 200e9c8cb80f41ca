"""A user's workspaces: how large they are, and which sessions name them."""

from agentic.api.answers import raise_for_error
from agentic.api.requests import Requests
from agentic.api.transport import path_of
from common.files.workspaces import Workspace
from common.models import Page


class Workspaces:
    """The workspaces that an orchestrator's user has, by their names."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def list(self, limit: int = 50, cursor: str | None = None) -> Page[Workspace]:
        """Return a page of the user's workspaces."""
        return await self._requests.read(
            "/v1/workspaces", Page[Workspace], limit=limit, cursor=cursor
        )

    async def get(self, name: str) -> Workspace:
        """Return a workspace; raise `workspace_not_found` where nothing has made it yet."""
        return await self._requests.read(_at(name), Workspace)

    async def delete(self, name: str) -> None:
        """Delete a workspace and all in it; raise `workspace_in_use` while sessions name it."""
        raise_for_error(await self._requests.send("DELETE", _at(name)))


def _at(name: str) -> str:
    return path_of("v1", "workspaces", name)
