"""Archives are read as they are sent: piece by piece, and only what their manifest says."""

import os

import pytest

from agentic.directory.archives import (
    PIECE,
    ChangedMeanwhile,
    archive_body,
    manifest_body,
    manifest_file,
)
from agentic.directory.root import Root
from agentic.directory.state import LocalFile
from common.errors import AgenticError
from common.files.archives import MANIFEST_LINE
from common.files.tar_stream import MAX_SIZE, TarReader
from tests.agentic.directory.fakes import sha256


@pytest.fixture
def root(directory):
    """The directory, open."""
    with Root(directory) as opened:
        yield opened


def archive(root, **contents):
    entries = [
        manifest_file(path, LocalFile(sha256(it), len(it), False)) for path, it in contents.items()
    ]
    where = {sha256(it): path for path, it in contents.items()}
    return archive_body(root, entries, where, lambda _: None)


async def read(pieces):
    reader, members = TarReader(pieces), {}
    while (member := await reader.next_member()) is not None:
        members[member.name] = b"".join([piece async for piece in reader.content()])
    return members


async def test_an_archive_has_its_manifest_first_and_each_content_once(root, directory):
    """And it can be made again, for another attempt."""
    (directory / "a").write_bytes(b"content")
    (directory / "b").write_bytes(b"")
    body = archive(root, a=b"content", b=b"")
    for _ in range(2):
        members = await read(body())
        assert list(members) == ["manifest.ndjson", sha256(b"content"), sha256(b"")]
        assert members[sha256(b"content")] == b"content"


async def test_a_large_file_goes_in_pieces_and_small_ones_together(root, directory):
    """Memory stays flat, and 10,000 files are not 10,000 hand-overs."""
    large = os.urandom(3 * PIECE + 5)
    small = {f"s{number}": b"%d" % number for number in range(100)}
    for path, content in {"large": large, **small}.items():
        (directory / path).write_bytes(content)
    pieces = [piece async for piece in archive(root, large=large, **small)()]
    assert max(map(len, pieces)) < 2 * PIECE + 1024 * 1024
    assert len(pieces) <= 6


@pytest.mark.parametrize("now", [b"CONTENT", b"cont", b""], ids=["other", "shorter", "empty"])
async def test_a_content_that_is_another_now_is_never_sent_whole(root, directory, now):
    """What the manifest promises arrives, or nothing does."""
    (directory / "a").write_bytes(now)
    with pytest.raises(ChangedMeanwhile, match="a"):
        await read(archive(root, a=b"content")())


async def test_a_file_that_has_grown_is_noticed_by_the_next_comparison_only(root, directory):
    """Its beginning is what the manifest says: a log that is written to can be sent."""
    (directory / "a").write_bytes(b"content and more")
    assert sha256(b"content") in await read(archive(root, a=b"content")())


async def test_a_file_that_is_gone_is_a_change(root):
    """Somebody works in the directory."""
    with pytest.raises(ChangedMeanwhile, match="a"):
        await read(archive(root, a=b"content")())


async def test_an_archive_that_is_given_up_leaves_no_file_open(root, directory):
    """The connection broke in its midst."""
    content = os.urandom(4 * PIECE)
    (directory / "a").write_bytes(content)
    before = len(os.listdir("/proc/self/fd"))
    pieces = archive(root, a=content)()
    await anext(pieces)
    await pieces.aclose()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_no_archive_can_hold_is_named(root):
    """The header has room for so many digits."""
    entry = manifest_file("huge", LocalFile("0" * 64, MAX_SIZE + 1, False))
    with pytest.raises(AgenticError) as caught:
        archive_body(root, [entry], {"0" * 64: "huge"}, lambda _: None)
    assert "'huge'" in caught.value.detail


async def test_a_manifest_has_a_line_for_each_file():
    """As a diff takes it."""
    files = {"a": LocalFile("0" * 64, 1, True), "b\\xff": LocalFile("1" * 64, 2, False)}
    text = b"".join([piece async for piece in manifest_body(files)()])
    entries = [MANIFEST_LINE.validate_json(line) for line in text.splitlines()]
    assert [(one.path, one.size, one.mode) for one in entries] == [
        ("a", 1, "0755"), ("b\\xff", 2, "0644")
    ]  # fmt: skip
