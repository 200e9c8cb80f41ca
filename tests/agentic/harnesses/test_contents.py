"""Whole files: by calls as far as those go, and over the other route only behind one."""

import base64

import pytest

from agentic.harnesses.calls import Calls
from agentic.harnesses.contents import INLINE, Contents
from agentic.harnesses.opening import Opening
from common.errors import AgenticError, error
from tests.agentic.harnesses.fakes import Orchestrator, refused

CHANGED = error("hash_mismatch", "another content")


@pytest.fixture
async def prepare(connect):
    """Contents of a session at an orchestrator that answers so."""

    async def make(*answers, **more):
        orchestrator = Orchestrator(*answers, **more)
        client = await connect(orchestrator)
        opening = Opening(client)
        return Contents(client, opening, Calls(client, opening)), orchestrator

    return make


async def test_a_short_file_comes_with_its_call(prepare):
    """One request, and bytes as they are."""
    part = {"content": base64.b64encode(b"a\xff").decode(), "truncated": False}
    contents, orchestrator = await prepare(part)
    assert await contents.read("a") == b"a\xff"
    assert orchestrator.sent() == [("POST", "")]


async def test_a_longer_file_is_streamed_once_its_call_was_made(prepare):
    """All of it, of one state: not the window and a rest that may be another's."""
    contents, orchestrator = await prepare({"content": "", "truncated": True}, content=b"whole")
    assert await contents.read("./b//a") == b"whole"
    assert orchestrator.calls[0][0] == "read_file"
    assert orchestrator.sent()[-1] == ("GET", "/files/b/a")


async def test_a_call_that_fails_leaves_nothing_to_stream(prepare):
    """A denial most of all."""
    contents, orchestrator = await prepare(error("denied_by_rule", "no"))
    with pytest.raises(AgenticError, match="denied_by_rule"):
        await contents.read("a")
    assert orchestrator.sent() == [("POST", "")]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("ä\r\n\0".encode(), {"content": "ä\r\n\0", "encoding": "utf-8"}),
        (b"\xff", {"content": "/w==", "encoding": "base64"}),
    ],
    ids=["text", "bytes"],
)
async def test_text_is_sent_as_text(prepare, content, sent):
    """A person who is asked reads it."""
    contents, orchestrator = await prepare({})
    await contents.write("a", content)
    assert orchestrator.calls == [("write_file", {"path": "a", "mode": "upsert", **sent})]
    assert orchestrator.sent() == [("POST", "")]


@pytest.mark.parametrize("known", [CHANGED, error("path_not_found", "not there")])
async def test_a_large_file_is_streamed_once_a_call_would_have_been_made(prepare, known):
    """The call changes nothing: the file has another content, or none."""
    contents, orchestrator = await prepare(known)
    await contents.write("a", b"x" * (INLINE + 1))
    [(tool, arguments)] = orchestrator.calls
    assert (tool, arguments["path"], arguments["mode"]) == ("write_file", "a", "replace")
    assert orchestrator.sent()[-1] == ("PUT", "/files/a")


async def test_what_a_service_takes_no_request_of_is_streamed(prepare):
    """Its bound may be lower than ours."""
    too_large = refused(error("request_too_large", "too large"))
    contents, orchestrator = await prepare(too_large, CHANGED)
    await contents.write("a", b"x")
    assert orchestrator.sent()[-1] == ("PUT", "/files/a")


@pytest.mark.parametrize("code", ["denied_by_rule", "permission_denied", "unavailable"])
async def test_a_large_file_that_no_call_would_write_is_not_streamed(prepare, code):
    """Whatever the reason."""
    contents, orchestrator = await prepare(error(code, "no"))
    with pytest.raises(AgenticError, match=code):
        await contents.write("a", b"x" * (INLINE + 1))
    assert not [one for one in orchestrator.sent() if one[0] == "PUT"]
