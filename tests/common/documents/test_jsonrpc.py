"""What is a message of JSON-RPC, and what is none."""

import pytest

from common.documents.jsonrpc import require_message
from common.errors import ClientError

SAID = {"jsonrpc": "2.0"}


@pytest.mark.parametrize(
    "body",
    [
        {**SAID, "id": 1, "method": "ping"},
        {**SAID, "id": "a", "method": "ping", "params": {}},
        {**SAID, "id": 1, "method": "ping", "params": None},
        {**SAID, "method": "notifications/initialized"},
        {**SAID, "id": 1, "result": {}},
        {**SAID, "id": 1, "error": {"code": 1, "message": "no"}},
        {**SAID, "id": None, "error": {"code": 1, "message": "no"}},
    ],
)
def test_requests_notifications_and_responses_are_messages(body):
    """Clients of some revision send each of them."""
    require_message(body)


@pytest.mark.parametrize(
    "body",
    [
        [], None, "ping", {}, {**SAID}, {**SAID, "method": 5}, {"id": 1, "method": "ping"},
        {**SAID, "id": None, "method": "ping"}, {**SAID, "id": 1.5, "method": "ping"},
        {**SAID, "id": False, "method": "ping"}, {**SAID, "id": {}, "method": "ping"},
        {**SAID, "id": 1, "method": "ping", "params": "x"}, {**SAID, "result": {}},
        {**SAID, "id": 1, "result": 5}, {**SAID, "id": 1, "error": {"code": "x", "message": "no"}},
        {**SAID, "id": 1, "error": {"code": 1}}, {**SAID, "error": {"code": 1, "message": "no"}},
        {**SAID, "id": None, "result": {}}, {**SAID, "id": 1, "method": "ping", "result": {}},
        {**SAID, "id": 1, "method": "ping", "error": {"code": 1, "message": "no"}}, [{**SAID, "id": 1, "method": "ping"}],
    ],
)  # fmt: skip
def test_all_else_is_refused(body):
    """The library would drop some of it in silence, and echo the rest."""
    with pytest.raises(ClientError) as refusal:
        require_message(body)
    assert refusal.value.code == "invalid_request"
