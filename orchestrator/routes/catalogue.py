"""What this deployment can do: its tools and its planners."""

from fastapi import APIRouter

from common.runs import PlannerSpec
from common.tools import ToolSpec
from common.web.openapi import problems
from orchestrator.routes.dependencies import COMMON, ServicesDep

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/tools", responses=problems(*COMMON, "upstream_failed", "deadline_exceeded"))
async def list_tools(services: ServicesDep) -> list[ToolSpec]:
    """Return the tools that plans can use, with their schemas."""
    return list((await services.catalogue.tools()).values())


@router.get("/planners", responses=problems(*COMMON))
async def list_planners(services: ServicesDep) -> list[PlannerSpec]:
    """Return the planners that a run can name."""
    return [planner.spec for planner in services.planners.values()]
