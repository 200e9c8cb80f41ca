"""Who gets in: holders of a key, or this machine's own user when there is none."""

import hashlib
from types import SimpleNamespace

import pytest
from starlette.datastructures import Headers

from common.errors import ClientError
from orchestrator.security.access import Access
from orchestrator.settings import is_loopback

ANN, BOB = (hashlib.sha256(key).digest() for key in (b"ann-key", b"bob-key"))


def access(**options):
    """Return the middleware with nothing behind it."""
    given = {"api_keys": {}, "any_host": False, "is_local": is_loopback}
    return Access(None, **given | options)


def refused(guard, **headers):
    """Return the code that a request with these headers is refused with."""
    with pytest.raises(ClientError) as caught:
        guard._user(Headers(headers))
    return caught.value.code


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:1", "127.9.9.9", "[::1]:80"]
)
def test_access_from_this_machine_is_the_local_users(host):
    """No key, no password, no other machine."""
    assert access()._user(Headers({"host": host})) == "local"
    assert access()._user(Headers({"host": host, "origin": "http://localhost:3000"})) == "local"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "[::1", "10.0.0.1", "localhost.evil"]
)
def test_access_under_other_host_names_is_refused(host):
    """DNS rebinding: a web page's own name that resolves to loopback."""
    assert refused(access(), host=host) == "forbidden"


@pytest.mark.parametrize(
    "origin", ["null", "", "https://evil.example", "http://127.0.0.1.evil.example"]
)
def test_access_from_web_pages_of_other_origins_is_refused(origin):
    """Cross-site requests carry their origin, also where any host is accepted."""
    assert refused(access(), host="localhost", origin=origin) == "forbidden"
    assert refused(access(any_host=True), host="x", origin=origin) == "forbidden"
    assert access(any_host=True)._user(Headers({"host": "any.example"})) == "local"


def test_api_key_names_its_user():
    """Any host: the key is what counts."""
    guard = access(api_keys={ANN: "ann", BOB: "bob"})
    assert guard._user(Headers({"host": "any", "authorization": "Bearer bob-key"})) == "bob"
    assert refused(guard, host="localhost") == "unauthenticated"
    assert refused(guard, host="localhost", authorization="Bearer eve-key") == "unauthenticated"


async def test_access_of_a_websocket_is_looked_at_as_that_of_a_request():
    """A page needs no permission of this service to open one."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["state"])

    async def send(message):
        seen.append(message.get("status"))

    async def knock(guard, **headers):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "websocket", "path": "/v1/x", "headers": raw, "state": {"request_id": "r"},
            "app": SimpleNamespace(state=SimpleNamespace(source="orchestrator")),
        }  # fmt: skip
        seen.clear()
        guard.app = app
        await guard(scope, None, send)
        return seen[0]

    assert await knock(access(), host="localhost", origin="https://evil.example") == 403
    assert await knock(access(), host="evil.example") == 403
    assert (await knock(access(), host="localhost"))["user_id"] == "local"
    state = await knock(access(api_keys={ANN: "ann"}), host="any", origin="https://any.example")
    assert (state["user_id"], state["key_holder"](ANN)) == (None, "ann")
    with pytest.raises(ClientError, match="unauthenticated"):
        state["key_holder"](BOB)
