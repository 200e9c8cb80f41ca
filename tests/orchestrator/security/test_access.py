"""Who gets in: holders of a key, or this machine's own user when there is none."""

import hashlib

import pytest
from pydantic import ValidationError
from starlette.datastructures import Headers

from common.errors import ClientError
from orchestrator.security.access import Access
from orchestrator.settings import Settings, is_loopback

ANN, BOB = (hashlib.sha256(key).digest() for key in (b"ann-key", b"bob-key"))
NEEDED = {
    "data_dir": "data",
    "execution_url": "http://127.0.0.1:1",
    "service_token": "t",
}


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
def test_this_machine_is_the_local_user(host):
    """No key, no password, no other machine."""
    assert access()._user(Headers({"host": host})) == "local"
    assert access()._user(Headers({"host": host, "origin": "http://localhost:3000"})) == "local"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "[::1", "10.0.0.1", "localhost.evil"]
)
def test_other_host_names_are_refused(host):
    """DNS rebinding: a web page's own name that resolves to loopback."""
    assert refused(access(), host=host) == "forbidden"


@pytest.mark.parametrize(
    "origin", ["null", "", "https://evil.example", "http://127.0.0.1.evil.example"]
)
def test_web_pages_of_other_origins_are_refused(origin):
    """Cross-site requests carry their origin, also where any host is accepted."""
    assert refused(access(), host="localhost", origin=origin) == "forbidden"
    assert refused(access(any_host=True), host="x", origin=origin) == "forbidden"
    assert access(any_host=True)._user(Headers({"host": "any.example"})) == "local"


def test_a_key_names_its_user():
    """Any host: the key is what counts."""
    guard = access(api_keys={ANN: "ann", BOB: "bob"})
    assert guard._user(Headers({"host": "any", "authorization": "Bearer bob-key"})) == "bob"
    assert refused(guard, host="localhost") == "unauthenticated"
    assert refused(guard, host="localhost", authorization="Bearer eve-key") == "unauthenticated"


def test_a_service_for_others_needs_keys_or_an_explicit_word():
    """Nobody opens files to the network by accident."""
    with pytest.raises(ValidationError, match="ORCHESTRATOR_API_KEYS"):
        Settings(host="0.0.0.0", **NEEDED)  # noqa: S104
    assert Settings(host="0.0.0.0", allow_anonymous=True, **NEEDED).allow_anonymous  # noqa: S104
    keys = f"{ANN.hex()}:ann, {BOB.hex()}:bob"
    assert Settings(host="::", api_keys=keys, **NEEDED).api_keys == {ANN: "ann", BOB: "bob"}


@pytest.mark.parametrize("keys", ["ann-key:ann", f"{ANN.hex()}", f"{ANN.hex()}:Ann!"])
def test_keys_are_digests_with_a_user(keys):
    """A plain key in the environment would be a secret lying about."""
    with pytest.raises(ValidationError):
        Settings(api_keys=keys, **NEEDED)


@pytest.mark.parametrize("user", ["bob", "ann"])
def test_a_key_belongs_to_one_user(user, monkeypatch, capsys):
    """With two entries for one digest the last would win in silence: refused at the start."""
    monkeypatch.setenv("ORCHESTRATOR_API_KEYS", f"{ANN.hex()}:ann,{ANN.hex()}:{user}")
    for name, value in NEEDED.items():
        monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", value)
    with pytest.raises(SystemExit):
        Settings.load()
    told = capsys.readouterr().err
    assert told.startswith("ORCHESTRATOR_API_KEYS: ")
    assert "the same digest" in told


def test_a_store_must_be_named():
    """Either a Redis or a directory for the embedded one."""
    with pytest.raises(ValidationError, match="ORCHESTRATOR_REDIS_URL"):
        Settings(**{**NEEDED, "data_dir": None})
