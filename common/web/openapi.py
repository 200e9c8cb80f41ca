"""The OpenAPI document: every route names the errors it can give, with an example each."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from common.error_table import ERRORS
from common.errors import MEDIA_TYPE, Problem, error

Responses = dict[int | str, dict[str, Any]]
_SCHEMAS = "#/components/schemas/"


def problems(*codes: str) -> Responses:
    """Return the `responses` of a route that can fail with these codes, grouped by status."""
    responses: Responses = {}
    for code in codes:
        spec = ERRORS[code]
        entry = responses.setdefault(spec.status, _entry())
        entry["description"] = "; ".join(filter(None, [entry["description"], spec.title]))
        example = error(code, spec.title).problem("orchestrator", "req_" + "0" * 32)
        entry["content"][MEDIA_TYPE]["examples"][code] = {"value": example.model_dump(mode="json")}
    return responses


def _entry() -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}, "examples": {}}}
    return {"description": "", "content": content}


def install(app: FastAPI) -> None:
    """Serve a document that defines the problem schema which the routes point at."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            _define_problem(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _define_problem(schema: dict[str, Any]) -> None:
    problem = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
