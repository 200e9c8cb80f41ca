"""A user's rules: what may be done without asking, what has to be asked for, what is not done."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from common.approvals.rules import Rules, RulesReplace
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import problems
from orchestrator.routes.dependencies import BODY, COMMON, ServicesDep, UserDep, require_rules
from orchestrator.routes.revisions import AnyRevisionDep, etag, if_match, shows

router = APIRouter(prefix="/v1/rules", tags=["approval"], route_class=JsonRoute)
_SHOWN = shows(Rules, "The rules, those that count first, first")
_EXAMPLES = [
    {
        "rules": [
            {"path": "secrets", "effect": "deny"},
            {"tool": "edit_file", "path": "docs/**", "effect": "allow"},
        ]
    }
]


@router.get("", response_model=Rules, responses=_SHOWN | problems(*COMMON))
async def read_rules(user: UserDep, services: ServicesDep) -> Response:
    """Return the rules that hold in all sessions of the user, after a session's own."""
    return await _shown(await services.store.rules.of_user(user))


@router.put(
    "",
    response_model=Rules,
    responses=_SHOWN | problems(*COMMON, *BODY, "precondition_failed"),
    openapi_extra=if_match(required=False),
)
async def replace_rules(
    body: Annotated[RulesReplace, Body(examples=_EXAMPLES)],
    user: UserDep,
    services: ServicesDep,
    revision: AnyRevisionDep,
) -> Response:
    """Replace the user's rules; they hold for calls to come, of runs that have begun as well."""
    await require_rules(services, body.rules)
    return await _shown(await services.store.rules.replace(user, body.rules, revision))


async def _shown(rules: Rules) -> Response:
    return await answered(rules, headers={"ETag": etag(rules.revision)})
