"""Archives and differences as calls: their bounds, and what goes on meanwhile."""

import asyncio
import shutil
import time

import pytest

from common.errors import ClientError, SystemFault
from execution_environment.archives.surveying import Survey
from execution_environment.calls.file_request import FileRequest
from tests.execution_environment.archives.manifests import lines_of
from tests.execution_environment.conftest import pieces, tool_call


def asked(**changed):
    """Ask about the workspace."""
    return FileRequest("d", 0, ".", tool_call("x", changed).context)


async def lines(parts, *body):
    """Return the differences."""
    outgoing = await parts.archives_out.diff(asked(), pieces(*body), is_archive=False)
    return b"".join([piece async for piece in parts.archives_out.send(outgoing)])


async def test_a_manifest_comes_in_pieces_of_any_size(parts, demo):
    """Lines are cut where the network cuts them."""
    (demo / "f").write_bytes(b"1")
    body = lines_of({b"f": (b"1", False), b"g": (b"2", False)})
    whole = await lines(parts, body)
    assert b'"same":1' in whole
    assert await lines(parts, *(body[at : at + 1] for at in range(len(body)))) == whole
    assert await lines(parts, body.rstrip()) == whole


async def test_a_manifest_that_comes_too_slowly_ends_at_the_deadline(parts):
    """A client could keep it coming for ever."""

    async def slow():
        until = time.monotonic() + 10
        while time.monotonic() < until:
            yield b" "
            await asyncio.sleep(0)

    with pytest.raises(SystemFault) as caught:
        await parts.archives_out.diff(asked(timeout=0.1), slow(), is_archive=False)
    assert caught.value.code == "deadline_exceeded"


async def test_a_manifest_without_end_is_refused_when_it_is_too_long(parts):
    """What is kept of it is bounded."""

    async def endless():
        for number in range(10**9):
            yield lines_of({b"%d" % number: (b"", False)})

    with pytest.raises(ClientError) as caught:
        await parts.archives_out.diff(asked(), endless(), is_archive=False)
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", 10_000)


async def test_a_workspace_that_is_made_anew_while_it_is_compared_is_told_to_be_so(
    parts, demo, monkeypatch
):
    """What was seen is of another one than the generation names; asked again, all is well."""
    (demo / "f").write_bytes(b"1")
    walk = Survey.walk

    def meddled(survey):
        yield from walk(survey)
        demo.rename(demo.parent / "old")  # so that its inode is not used again
        demo.mkdir()

    monkeypatch.setattr(Survey, "walk", meddled)
    with pytest.raises(SystemFault) as caught:
        await lines(parts)
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    monkeypatch.undo()
    assert b'"new":0' in await lines(parts)
    shutil.rmtree(demo.parent / "old")
