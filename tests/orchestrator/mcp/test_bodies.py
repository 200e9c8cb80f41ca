"""What a body may be before the protocol's library reads it."""

import json

import pytest

from common.errors import ClientError
from orchestrator.mcp.bodies import MAX_AROUND, require_plain

MANY = {f"k{n}": n for n in range(MAX_AROUND)}


def call(**more):
    """Return a call's body, `more` of its params."""
    said = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x", **more}}
    return json.dumps(said).encode()


async def test_arguments_may_have_as_many_values_as_any_body():
    """They are for the tool; the library takes them as they are."""
    await require_plain(call(arguments=MANY))
    await require_plain(call(arguments={"deep": [MANY]}))


@pytest.mark.parametrize(
    "body",
    [
        call(inputResponses=MANY),
        call(_meta={"arguments": MANY}),
        json.dumps({"params": 1, "arguments": MANY}).encode(),
        json.dumps([call(arguments=MANY).decode()] * MAX_AROUND).encode(),
        json.dumps([{"params": {"arguments": MANY}}]).encode(),
    ],
    ids=["answers", "meta", "beside", "batch", "arguments in a batch"],
)
async def test_all_else_may_have_few(body):
    """Whatever is in the name of arguments but is none."""
    with pytest.raises(ClientError) as caught:
        await require_plain(body)
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", MAX_AROUND)


@pytest.mark.parametrize("body", [b"1", b"[]", b"null", b'"x"', b'{"params":[1]}'])
async def test_what_is_no_message_is_refused(body):
    """The library would drop some of it in silence, and echo the rest."""
    with pytest.raises(ClientError) as caught:
        await require_plain(body)
    assert caught.value.code == "invalid_request"
