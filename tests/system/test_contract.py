"""The execution environment against its own OpenAPI document: whatever is sent, no answer is a
fault, and each is one that the document has."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks

from tests.system.services import TOKEN, execution_environment

AUTH = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 40
STREAMS = ["application/x-tar", "application/x-ndjson"]
schemathesis.serializer.alias(STREAMS, "application/octet-stream")
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@pytest.fixture
def document(tmp_path):
    """The document that the service serves."""
    service = execution_environment(tmp_path).start()
    try:
        yield schemathesis.openapi.from_url(f"{service.url}/openapi.json", headers=AUTH)
    finally:
        assert service.stop() == 0


def no_fault(_context, response, _case):
    """An error may be the caller's or the deadline's (504, 507 are truthful), never a bug."""
    assert response.status_code not in (500, 502), response.text


def answers_of(operation, mode):
    """Return a property: each request of a kind is answered as the document says."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def holds(case):
        case.call_and_validate(headers=AUTH, checks=[no_fault, *CHECKS], timeout=30)

    return holds


def takes_anything(operation):
    """Tell whether an operation has parameters or a JSON body."""
    bodies = [body for body in operation.body if "json" in body.media_type]
    return bool(bodies) or any(True for _ in operation.iter_parameters())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_has(document, mode):
    """Status, media type, headers and body, for valid and for invalid requests."""
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 9
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not takes_anything(operation):
            continue  # there is no invalid request for what takes nothing
        answers_of(operation, mode)()
