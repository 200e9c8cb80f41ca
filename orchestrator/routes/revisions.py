"""Revisions as entity tags: what a change is based on, so that nobody undoes what they have not seen."""

import re
from typing import Annotated, Any

from fastapi import Depends, Request

from common.errors import ClientError, FieldError
from common.web.openapi import Responses

_TAG = re.compile(r'"(0|[1-9][0-9]{0,17})"')
_FORM = r'^"(0|[1-9][0-9]{0,17})"$'
ETAG: dict[str, Any] = {
    "ETag": {
        "description": "The revision, for `If-Match`",
        "schema": {"type": "string", "pattern": _FORM},
        "example": '"3"',
    }
}
"""The header of an answer that says which revision it shows."""


def etag(revision: int) -> str:
    """Return a revision as an entity tag."""
    return f'"{revision}"'


def shows(model: type, description: str) -> Responses:
    """Return the `responses` of a route that answers 200 with a resource and its revision."""
    return {200: {"model": model, "description": description, "headers": ETAG}}


def if_match(*, required: bool) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes, or needs, the revision that it is about."""
    header = {
        "name": "If-Match",
        "in": "header",
        "required": required,
        "description": "The ETag of what was read",
        "schema": {"type": "string", "pattern": _FORM},
        "example": '"3"',
    }
    return {"parameters": [header]}


async def _given(request: Request) -> int | None:
    lines = request.headers.getlist("if-match")
    if not lines:
        return None
    found = _TAG.fullmatch(", ".join(lines).strip())
    if found is None:
        raise _refused("has to be the ETag that was read, one and in its quotes")
    return int(found[1])


async def _required(revision: Annotated[int | None, Depends(_given)]) -> int:
    if revision is None:
        raise _refused("is needed: the ETag of what was read")
    return revision


def _refused(what: str) -> ClientError:
    return ClientError(
        "invalid_request",
        f"If-Match {what}",
        hint='GET the resource, and send its ETag as If-Match, such as If-Match: "3".',
        fields=[FieldError(field="if-match", message=what)],
    )


RevisionDep = Annotated[int, Depends(_required)]
"""The revision that a change is about; without one, or with `*`, it is `invalid_request`."""
AnyRevisionDep = Annotated[int | None, Depends(_given)]
"""Likewise; None where the request does not say."""
