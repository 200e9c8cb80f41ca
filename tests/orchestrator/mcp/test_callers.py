"""Who calls, and whom of them a person can answer for."""

from types import SimpleNamespace

import pytest
from mcp_types import ClientCapabilities, Implementation
from starlette.requests import Request

from common.errors import ClientError
from orchestrator.mcp.callers import KEY, caller_of, key_of

NEWEST = "2026-07-28"


def context(revision=NEWEST, elicitation=None, agent="browser/1", client=None):
    """Return a request as the library hands it on."""
    scope = {
        "type": "http",
        "headers": [(b"user-agent", agent.encode())],
        "client": ("127.0.0.1", 5),
        "path_params": {"workspace": "demo"},
        "state": {"user_id": "ann", "request_id": "req_1", "traceparent": None},
    }
    given = {} if elicitation is None else {"elicitation": elicitation}
    info = None if client is None else SimpleNamespace(client_info=client)
    session = SimpleNamespace(
        client_params=info, client_capabilities=ClientCapabilities.model_validate(given)
    )
    return SimpleNamespace(request=Request(scope), session=session, protocol_version=revision)


def test_sender_is_the_key_holder_and_the_client_is_only_recorded():
    """Whatever a program calls itself."""
    caller = caller_of(context(client=Implementation(name="ide", version="2")))
    assert (caller.user_id, caller.workspace) == ("ann", "demo")
    source = caller.origin.source
    assert (source.kind, source.agent, source.address) == ("mcp", "ide/2 browser/1", "127.0.0.1")
    long = caller_of(context(client=Implementation(name="x" * 1000, version="2")))
    assert len(long.origin.source.agent) == 256


@pytest.mark.parametrize(
    ("revision", "elicitation", "can_be_asked"),
    [
        (NEWEST, {"form": {}}, True),
        (NEWEST, {}, True),
        (NEWEST, {"url": {}}, False),
        (NEWEST, {"url": {}, "form": {}}, True),
        (NEWEST, None, False),
        ("2025-11-25", {"form": {}}, False),
        ("2025-06-18", {}, False),
    ],
)
def test_whom_a_person_can_answer_for(revision, elicitation, can_be_asked):
    """An older client could not be asked in the middle of a call; links are no forms."""
    assert caller_of(context(revision, elicitation)).can_be_asked == can_be_asked


def test_key_is_what_it_says_or_refused():
    """What is no key would be a call that happens twice, in silence."""
    assert key_of(None) is None
    assert key_of({}) is None
    assert key_of({KEY: None}) is None
    assert key_of({KEY: "a.b:c-D_1"}) == "a.b:c-D_1"
    for wrong in ("", "a b", "x" * 201, "ä", 5, ["a"], "a\n"):
        with pytest.raises(ClientError):
            key_of({KEY: wrong})
