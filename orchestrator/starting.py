"""Starts runs, for whichever door a request came in by."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from common.approvals.reviews import Policy
from common.context import RequestSource
from common.errors import ClientError, FieldError
from common.ids import new_id
from common.off_loop import is_small, off_loop
from common.runs import RunCreate
from common.sessions import Session
from orchestrator.execution.catalogue import Catalogue
from orchestrator.planners.protocol import Planner
from orchestrator.planners.registry import default_planner
from orchestrator.store.records import RunDocument
from orchestrator.store.runs import RunStore
from orchestrator.store.sessions import Idempotency

_FOR_A_MODEL = ("model", "instructions", "tools", "output_schema")
"""What of a run only a model can keep to."""
SHORT = 4
"""Steps of a plan that are checked on the event loop."""


@dataclass(frozen=True)
class Origin:
    """Where a request came from: it is noted with all that the request causes."""

    request_id: str
    source: RequestSource
    traceparent: str | None = None


class RunStarter:
    """Checks what is asked for, and queues it."""

    def __init__(
        self,
        runs: RunStore,
        planners: Mapping[str, Planner],
        catalogue: Catalogue,
        approval: Policy,
    ) -> None:
        """`approval`: what of a run asks a person, where the run does not say."""
        self._runs = runs
        self._planners = planners
        self._catalogue = catalogue
        self._approval = approval

    async def start(
        self, session: Session, body: RunCreate, origin: Origin, key: str | None = None
    ) -> str:
        """Queue a run and return its id; a `key` of the client that has started one gives that one.

        Raises ClientError for a run that cannot be, `session_busy`, `queue_full` or
        `idempotency_conflict`.
        """
        document = RunDocument(
            id=new_id("run"),
            session_id=session.id,
            goal=body.goal,
            plan=body.plan,
            planner=await self._checked_planner(body),
            budget=body.budget,
            request_id=origin.request_id,
            request_source=origin.source,
            traceparent=origin.traceparent,
            approval=body.approval or self._approval,
            access=body.access,
            **{name: getattr(body, name) for name in _FOR_A_MODEL},
        )
        known = await off_loop(key is None or is_small(body), idempotency, key, body)
        return await self._runs.create(document, body.on_busy, known, user_id=session.user_id)

    async def _checked_planner(self, body: RunCreate) -> str:
        name = body.planner or default_planner(self._planners, has_plan=body.plan is not None)
        if name not in self._planners:
            raise ClientError("invalid_request", f"There is no planner '{name}'")
        planner = self._planners[name]
        _check_wishes(body, planner)
        tools = await self._catalogue.tools() if planner.checks_tools or body.tools else {}
        # A long goal, a plan of a thousand steps or a large schema takes longer than others should wait.
        await off_loop(_is_short(body), planner.check, body, tools)
        return name


def idempotency(key: str | None, body: BaseModel) -> Idempotency | None:
    """Return a client's key with the digest of what it stands for."""
    if key is None:
        return None
    return key, hashlib.sha256(body.model_dump_json().encode()).hexdigest()


def _is_short(body: RunCreate) -> bool:
    """Tell whether a run is checked sooner than a thread is ready: a sentence has to be parsed, a plan has not."""
    return body.plan is not None and len(body.plan.steps) <= SHORT and is_small(body)


def _check_wishes(body: RunCreate, planner: Planner) -> None:
    """Refuse what this planner would pass over in silence, and a planner that is not there."""
    name, reason = planner.spec.name, planner.spec.reason
    if not planner.spec.available:
        raise ClientError("invalid_request", f"The planner '{name}' is not available: {reason}")
    given = [wish for wish in _FOR_A_MODEL if getattr(body, wish) is not None]
    if given and not planner.converses:
        why = f"The planner '{name}' asks no model"
        fields = [FieldError(field=wish, message=why) for wish in given]
        raise ClientError("invalid_request", f"{why}: leave out {', '.join(given)}", fields=fields)
