"""The application as it is put together: roles, and a complete OpenAPI document."""

import pytest

from orchestrator.app import build
from orchestrator.settings import Settings

NEEDED = {"data_dir": "data", "execution_url": "http://127.0.0.1:1", "service_token": "t"}


@pytest.mark.parametrize(("role", "serves"), [("all", True), ("api", True), ("worker", False)])
def test_app_in_the_worker_role_answers_probes_only(role, serves):
    """Clients talk to the API role."""
    paths = build(Settings(role=role, **NEEDED)).openapi()["paths"]
    assert ("/v1/sessions" in paths) is serves
    assert "/health/ready" in paths


def test_openapi_documents_every_route_with_its_errors():
    """OpenAPI is where client authors look first."""
    document = build(Settings(**NEEDED)).openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            if path.startswith("/v1/"):
                problems = operation["responses"]["422"]["content"]["application/problem+json"]
                assert problems["schema"]["$ref"] == "#/components/schemas/Problem"
                assert problems["examples"], path
    assert "HTTPValidationError" not in document["components"]["schemas"]
