"""A user's workspaces in the execution environment: listed, looked at, deleted."""

import json
from typing import Any

import httpx
from pydantic import ValidationError

from common.context import ExecutionContext
from common.files.workspaces import WorkspaceUsage
from common.models import Page
from orchestrator.execution.client import ANSWER_MARGIN, CONNECT_TIMEOUT, send, unreadable

PATIENCE = 60.0
"""Seconds for each of these: a workspace may have to be counted, or others may work in it."""


class Workspaces:
    """Raises the service's errors, and those of the way there, as the execution client does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def list(
        self, user_id: str, limit: int, cursor: str | None, request_id: str
    ) -> Page[WorkspaceUsage]:
        """Return a page of the user's workspaces, by name."""
        more = {} if cursor is None else {"cursor": cursor}
        params = {"limit": limit, **more}
        answer = await self._answer("GET", user_id, {"X-Request-ID": request_id}, params=params)
        try:
            return Page[WorkspaceUsage].model_validate_json(answer.content)
        except ValidationError as error:
            raise unreadable(answer) from error

    async def get(self, user_id: str, name: str, request_id: str) -> WorkspaceUsage:
        """Return a workspace; raise `workspace_not_found`."""
        answer = await self._answer("GET", f"{user_id}/{name}", {"X-Request-ID": request_id})
        try:
            return WorkspaceUsage.model_validate_json(answer.content)
        except ValidationError as error:
            raise unreadable(answer) from error

    async def delete(self, context: ExecutionContext) -> None:
        """Delete the context's workspace with all that is in it; raise `workspace_not_found`."""
        headers = {
            "X-Request-ID": context.request_id,
            "X-Execution-Context": json.dumps(context.model_dump(mode="json")),
        }
        await self._answer("DELETE", context.allowed_paths_root, headers)

    async def _answer(
        self, method: str, which: str, headers: dict[str, str], **more: Any
    ) -> httpx.Response:
        timeout = httpx.Timeout(PATIENCE + ANSWER_MARGIN, connect=CONNECT_TIMEOUT)
        request = self._http.build_request(
            method, f"/v1/workspaces/{which}", headers=headers, timeout=timeout, **more
        )
        return await send(self._http, request)
