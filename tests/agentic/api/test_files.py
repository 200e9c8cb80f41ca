"""Files through the client: what is sent, what comes back, and what a hostile path cannot do."""

from datetime import UTC, datetime

import httpx
import pytest

from agentic import AgenticError, SystemFault
from agentic.api.files import FileInfo
from common.errors import error
from common.files.directories import DirectoryPage
from common.tools import ToolResult
from tests.agentic.fakes import NOW, SESSION, Script, problem, stream

FILES = f"/v1/sessions/{SESSION.id}/files"
RESULT = ToolResult(id="call_1", tool="upload", output={}, receipts=[], duration_ms=1.0)
PAGE = DirectoryPage.model_validate(
    {"entries": [{"path": "a.txt", "type": "file", "size": 3, "modified_at": NOW}]}
)


def page():
    """An answer that lists a directory."""
    return httpx.Response(
        200, content=PAGE.model_dump_json(), headers={"content-type": "application/json"}
    )


def a_file(content=b"abcdef", status=200, **headers):
    """An answer that carries a file."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    told = {"content-type": "application/octet-stream", "etag": '"e1"', **more}
    return httpx.Response(status, content=content, headers=told)


def done():
    """The answer to a change."""
    return httpx.Response(200, content=RESULT.model_dump_json())


async def body():
    """A body of two pieces."""
    yield b"abc"
    yield b"def"


async def read(client, **more):
    """Read a file to its end."""
    async with client.files.read(SESSION.id, "a.txt", **more) as download:
        return download, b"".join([piece async for piece in download.pieces()])


async def test_a_directory_is_listed_page_by_page(connect):
    """Depth, limit and cursor arrive; the workspace itself has no name."""
    script = Script(page())
    client = await connect(script)
    assert await client.files.list(SESSION.id, depth=2, limit=5, cursor="a") == PAGE
    assert await client.files.list(SESSION.id, "src/käse #1?") == PAGE
    first, second = (request.url.raw_path.decode() for request in script.requests)
    assert first == f"{FILES}?depth=2&limit=5&cursor=a"
    assert second == f"{FILES}/src/k%C3%A4se%20%231%3F?depth=1&limit=200"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("..", "/%2E%2E"),
        ("a/../../b", "/a/%2E%2E/%2E%2E/b"),
        ("a/./b", "/a/%2E/b"),
        ("/etc/passwd", "//etc/passwd"),
        ("a\nb", "/a%0Ab"),
        ("%2e%2e", "/%252e%252e"),
        ("...", "/..."),
    ],
)
async def test_a_path_of_a_file_never_leads_to_another_route(connect, path, sent):
    """DELETE of `..` would delete the session, had the HTTP client resolved it."""
    script = Script(done())
    client = await connect(script)
    await client.files.delete(SESSION.id, path)
    assert script.requests[0].url.raw_path.decode() == f"{FILES}{sent}"


async def test_a_path_that_is_no_utf8_is_refused_before_it_is_sent(connect):
    """Names of this machine may hold any bytes: Python has them as lone surrogates."""
    script = Script(done())
    client = await connect(script)
    with pytest.raises(AgenticError) as caught:
        await client.files.write(SESSION.id, "a\udcff", b"")
    assert (caught.value.code, caught.value.source) == ("invalid_request", "client")
    assert not script.requests


async def test_a_file_is_read_as_it_comes(connect):
    """Size and state are known before the first byte."""
    client = await connect(Script(a_file()))
    download, content = await read(client)
    assert (download.size, download.start, download.etag, content) == (6, 0, '"e1"', b"abcdef")


async def test_the_rest_of_a_file_is_asked_for_if_it_is_the_same(connect):
    """Resuming must not put two states together."""
    script = Script(a_file(b"def", 206, content_range="bytes 3-5/6"))
    client = await connect(script)
    download, content = await read(client, start=3, etag='"e1"')
    assert (download.size, download.start, content) == (6, 3, b"def")
    sent = script.requests[0].headers
    assert (sent["range"], sent["if-range"]) == ("bytes=3-", '"e1"')


async def test_a_file_that_is_another_by_now_comes_from_its_start(connect):
    """The caller sees `start` and throws away what it had."""
    client = await connect(Script(a_file(b"new", etag='"e2"')))
    download, content = await read(client, start=3, etag='"e1"')
    assert (download.start, download.etag, content) == (0, '"e2"', b"new")


@pytest.mark.parametrize(
    "answer",
    [
        lambda: a_file(b"abc", 206, content_range="bytes 2-4/6"),
        lambda: a_file(b"def", 206, content_range="bytes */6"),
        lambda: a_file(b"de", 206, content_range="bytes 3-5/6"),
        lambda: a_file(b"defg", 206, content_range="bytes 3-5/6"),
        lambda: a_file(b"def", 206),
        lambda: httpx.Response(200, content=b"abc"),
        lambda: stream(b"no length"),
    ],
    ids=["other part", "no part", "short", "long", "no range", "no etag", "no length"],
)
async def test_a_download_that_is_not_what_was_asked_for_is_upstream_failed(connect, answer):
    """A file with a hole or a tail must never be taken for the file."""
    client = await connect(Script(answer()))
    with pytest.raises(SystemFault) as caught:
        await read(client, start=3)
    assert (caught.value.code, caught.value.source) == ("upstream_failed", "client")


async def test_reading_a_directory_and_listing_a_file_are_told_apart(connect):
    """Both are GET of the same path: the answer's type says which it is."""
    client = await connect(Script(page(), a_file(b"{}")))
    with pytest.raises(AgenticError, match="not_a_file"):
        await read(client)
    with pytest.raises(AgenticError, match="not_a_directory"):
        await client.files.list(SESSION.id, "a.txt")


async def test_a_file_is_written_again_under_the_same_key_when_an_answer_was_lost(connect):
    """The content is opened anew for each attempt: half of it was sent already."""
    script = Script(httpx.ReadError("lost"), done())
    client = await connect(script)
    assert await client.files.write(SESSION.id, "a.txt", body, if_match='"e1"') == RESULT
    assert [request.content for request in script.requests] == [b"abcdef"] * 2
    assert len({request.headers["idempotency-key"] for request in script.requests}) == 1
    assert script.requests[0].headers["if-match"] == '"e1"'


async def test_a_file_can_be_written_only_where_there_is_none(connect):
    """Bytes are sent with their length; the caller's own key is used."""
    script = Script(done())
    client = await connect(script)
    await client.files.write(SESSION.id, "a.txt", b"abc", only_new=True, key="k1")
    sent = script.requests[0].headers
    assert (sent["if-none-match"], sent["idempotency-key"]) == ("*", "k1")
    assert sent["content-length"] == "3"


async def test_a_refused_change_of_a_file_is_not_repeated(connect):
    """The service has decided."""
    script = Script(problem(error("precondition_failed", "it is another")))
    client = await connect(script)
    with pytest.raises(AgenticError) as caught:
        await client.files.delete(SESSION.id, "a.txt", if_match='"e1"')
    assert (caught.value.code, len(script.requests)) == ("precondition_failed", 1)


async def test_the_reader_of_a_local_file_fails_as_it_would_without_the_client(connect):
    """What cannot be read here is no fault of the connection, and nothing is sent again."""

    async def unreadable():
        yield b"abc"
        raise PermissionError("a.txt")

    client = await connect(Script(done()))
    with pytest.raises(PermissionError):
        await client.files.write(SESSION.id, "a.txt", unreadable)


async def test_what_a_path_holds_is_told_without_its_content(connect):
    """A file's size, state and time; a directory has none."""
    headers = {"last_modified": "Thu, 01 Jan 2026 00:00:00 GMT", "content_length": "7"}
    script = Script(a_file(b"", **headers), page())
    client = await connect(script)
    told = FileInfo("file", 7, '"e1"', datetime(2026, 1, 1, tzinfo=UTC))
    assert await client.files.info(SESSION.id, "a.txt") == told
    assert await client.files.info(SESSION.id) == FileInfo("directory")
    assert {request.method for request in script.requests} == {"HEAD"}


async def test_what_is_wrong_with_a_path_is_told_although_head_has_no_body(connect):
    """404 alone might be the session's, the path's or the route's."""
    missing = problem(error("path_not_found", "no such file", path="a.txt"))
    script = Script(httpx.Response(404), missing)
    client = await connect(script)
    with pytest.raises(AgenticError) as caught:
        await client.files.info(SESSION.id, "a.txt")
    assert caught.value.code == "path_not_found"
    assert [request.method for request in script.requests] == ["HEAD", "GET"]
