"""Archives through the client: differences line by line, contents piece by piece, one result."""

import httpx
import pytest

from agentic import AgenticError, SystemFault
from common.errors import error
from common.files.archives import MAX_LINE, ArchiveResult, Difference, DifferenceCount
from common.models import Page
from common.tools import Receipt
from tests.agentic.fakes import SESSION, Script, problem, stream

ARCHIVE = f"/v1/sessions/{SESSION.id}/archive"
CHANGED = Difference(path="käse.txt", state="changed", type="file", sha256="0" * 64, size=3)
GONE = Difference(path="z", state="gone", is_held=True)
COUNT = DifferenceCount(new=0, changed=1, gone=1, same=2, skipped=0, generation="0123456789abcdef")
LINES = b"".join(f"{one.model_dump_json()}\n".encode() for one in (CHANGED, GONE, COUNT))
RESULT = ArchiveResult(
    id="file:ses:1", created=1, replaced=0, deleted=0, unchanged=2, bytes_written=3,
    receipts_sha256="0" * 64, receipts=[], duration_ms=1.0,
)  # fmt: skip
RECEIPT = Receipt(
    path="a", operation="create", created=True, sha256_before=None, sha256_after="0" * 64,
    size=3, mode="0644", bytes_written=3,
)  # fmt: skip


async def body():
    """A body of two pieces."""
    yield b"ab"
    yield b"cd"


@pytest.mark.parametrize("size", [1, 7, len(LINES)])
async def test_differences_come_line_by_line_however_the_network_cuts_them(connect, size):
    """The end line is the last; the manifest went out as it was made."""
    pieces = [LINES[start : start + size] for start in range(0, len(LINES), size)]
    script = Script(stream(*pieces))
    client = await connect(script)
    assert [one async for one in client.archives.diff(SESSION.id, body)] == [CHANGED, GONE, COUNT]
    [sent] = script.requests
    assert (sent.method, sent.url.path, sent.content) == ("POST", f"{ARCHIVE}/diff", b"abcd")
    assert sent.headers["accept"] == "application/x-ndjson"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: stream(LINES[: LINES.index(b"\n") + 1]),
        lambda: stream(LINES[:-1]),
        lambda: stream(b'{"path": 1}\n'),
        lambda: stream(b"[]\n"),
        lambda: stream(b"\xff\n"),
        lambda: stream(b"x" * (MAX_LINE + 1)),
        lambda: stream(LINES[:9], httpx.ReadError("cut")),
    ],
    ids=["no end line", "half an end line", "odd", "a list", "no utf-8", "endless", "broken"],
)
async def test_differences_that_were_cut_off_are_upstream_failed(connect, answer):
    """What is not named would be taken for the same."""
    client = await connect(Script(answer()))
    with pytest.raises(SystemFault) as caught:
        [one async for one in client.archives.diff(SESSION.id, body)]
    assert (caught.value.code, caught.value.source) == ("upstream_failed", "client")


async def test_contents_of_differences_are_asked_for_as_an_archive(connect):
    """The same comparison, with what it names."""
    script = Script(stream(b"tar", b"red"))
    client = await connect(script)
    async with client.archives.get_differences(SESSION.id, body) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"tarred"
    [sent] = script.requests
    assert (sent.headers["accept"], sent.content) == ("application/x-tar", b"abcd")


async def test_a_tree_is_taken_as_a_tar_of_a_path(connect):
    """A connection that breaks in it is told as such."""
    script = Script(stream(b"tar"), stream(b"tar", httpx.ReadError("cut")))
    client = await connect(script)
    async with client.archives.get(SESSION.id, "src") as pieces:
        assert [piece async for piece in pieces] == [b"tar"]
    assert script.requests[0].url.params["path"] == "src"
    with pytest.raises(SystemFault, match="upstream_failed"):
        async with client.archives.get(SESSION.id) as pieces:
            [piece async for piece in pieces]


async def test_an_archive_is_sent_again_under_the_same_key_when_an_answer_was_lost(connect):
    """It may have taken effect: the second answer is the first one's."""
    done = httpx.Response(200, content=RESULT.model_dump_json())
    script = Script(httpx.ConnectError("down"), httpx.ReadError("lost"), done)
    client = await connect(script)
    assert await client.archives.put(SESSION.id, body, force=True, key="k1") == RESULT
    assert [request.content for request in script.requests] == [b"abcd"] * 3
    assert {request.headers["idempotency-key"] for request in script.requests} == {"k1"}
    assert script.requests[0].url.params["force"] == "true"


@pytest.mark.parametrize("code", ["changed_elsewhere", "content_missing", "invalid_archive"])
async def test_a_refused_archive_is_not_sent_again(connect, code):
    """The service has decided."""
    script = Script(problem(error(code, "no")))
    client = await connect(script)
    with pytest.raises(AgenticError) as caught:
        await client.archives.put(SESSION.id, body, key="k1")
    assert (caught.value.code, len(script.requests)) == (code, 1)


async def test_receipts_of_an_archive_are_read_page_by_page(connect):
    """A result carries the first ones only."""
    page = Page[Receipt](items=[RECEIPT], next_cursor="c2")
    script = Script(httpx.Response(200, content=page.model_dump_json()))
    client = await connect(script)
    assert await client.archives.receipts(SESSION.id, RESULT.id, limit=1, cursor="c1") == page
    assert script.requests[0].url.path == f"{ARCHIVE}/receipts/{RESULT.id}"
    assert dict(script.requests[0].url.params) == {"limit": "1", "cursor": "c1"}
