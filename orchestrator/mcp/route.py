"""Where MCP clients come in: `/mcp/{workspace}` has one workspace's tools and files, `/mcp` runs."""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import SecretStr

from common.errors import ClientError
from common.ids import Name
from common.web.body import read_body, require_json
from orchestrator.mcp.bodies import require_plain
from orchestrator.mcp.door import Door, Handed, Server
from orchestrator.routes.dependencies import Services

_CODES = {"malformed_request": -32700, "invalid_request": -32600}
"""JSON-RPC's codes of a body that is no JSON, and of one that is no message."""
# What it takes and gives is MCP's own, which has its own way to tell: `server/discover`, `tools/list`.
router = APIRouter(prefix="/mcp", include_in_schema=False)


@dataclass(frozen=True)
class Doors:
    """The doors for MCP clients."""

    workspace: Door
    verbs: Door
    ending: asyncio.Event

    async def aclose(self) -> None:
        """Close both."""
        self.ending.set()
        await self.workspace.aclose()
        await self.verbs.aclose()


def open_doors(services: Services, secret: SecretStr, max_body: int) -> Doors:
    """Return the doors; `secret` keeps what clients carry between requests, `max_body` is in bytes."""

    ending = asyncio.Event()

    def workspace() -> Server:
        from orchestrator.mcp.protocol import workspace_server  # noqa: PLC0415
        from orchestrator.mcp.serving import Serving  # noqa: PLC0415

        return Serving(workspace_server(services, secret, ending), max_body)

    def verbs() -> Server:
        from orchestrator.mcp.protocol import verbs_server  # noqa: PLC0415
        from orchestrator.mcp.serving import Serving  # noqa: PLC0415

        return Serving(verbs_server(services, secret), max_body)

    return Doors(Door(workspace), Door(verbs), ending)


async def _doors(request: Request) -> Doors:  # a plain function would take a thread
    doors: Doors = request.app.state.doors
    return doors


DoorsDep = Annotated[Doors, Depends(_doors)]


async def _require_name(workspace: Name) -> str:
    return workspace


@router.post("/{workspace}", dependencies=[Depends(_require_name)])
async def serve_workspace(request: Request, doors: DoorsDep) -> Response:
    """Answer an MCP client about a workspace of its user's."""
    return await _handed(request, doors.workspace)


@router.post("")
async def serve_verbs(request: Request, doors: DoorsDep) -> Response:
    """Answer an MCP client about its user's runs."""
    return await _handed(request, doors.verbs)


async def _handed(request: Request, door: Door) -> Response:
    body = await read_body(request, request.app.state.max_body)
    require_json(request)
    try:
        await require_plain(body)
    except ClientError as refusal:
        if refusal.code not in _CODES:
            raise
        return _refused(refusal, request.state.request_id)
    return Handed(await door.opened(), body)


def _refused(refusal: ClientError, request_id: str) -> Response:
    problem = refusal.problem("orchestrator", request_id).model_dump(mode="json")
    error = {"code": _CODES[refusal.code], "message": refusal.detail, "data": problem}
    said = json.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    return Response(said, 400, media_type="application/json")
