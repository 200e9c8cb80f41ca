"""Liveness and readiness, the same in both services."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from pydantic import JsonValue

from common.models import Lenient
from common.web.openapi import problems

Probe = Callable[[], Awaitable[dict[str, Any]]]
"""Returns facts about a service that is ready; raises `unavailable` when it is not."""


class Health(Lenient):
    """`facts` names what the service stands on: guards, stores, the service behind it."""

    status: str = "ok"
    facts: dict[str, JsonValue] = {}


def health_router(ready: Probe) -> APIRouter:
    """Return the routes `/health/live` (never waits for anything) and `/health/ready`."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", responses=problems("malformed_request"))
    async def live() -> Health:
        """Say that the process serves requests."""
        return Health()

    @router.get("/ready", responses=problems("malformed_request", "unavailable"))
    async def is_ready() -> Health:
        """Say whether the service can do its work, and what it stands on."""
        return Health(facts=await ready())

    return router
