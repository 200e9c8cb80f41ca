"""Contents on their way into staging: by portions, each checked, with no thread for each small file."""

import os

import pytest

from common.errors import AgenticError
from common.files.tar_stream import TarReader
from execution_environment.archives import receiving
from execution_environment.archives.receiving import MANY, PORTION, Contents, read_manifest
from execution_environment.sandbox.limits import QuotaMeter
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.staged_change import StagedChange
from tests.execution_environment.archives.building import archive, files, put
from tests.execution_environment.conftest import call_limits, pieces, refusal, sha


@pytest.fixture
def change(sandbox):
    """A change that takes many files in; they are gone at the end."""
    root = WorkspaceRoot(sandbox.renamer.root, (b"local", b"demo"))
    change = StagedChange(root, sandbox.renamer, QuotaMeter(), dry_run=False, is_bulk=True)
    yield change
    change.cleanup()


class Turns:
    """Does at once what is for a thread, and counts."""

    def __init__(self):
        self.count = 0

    async def __call__(self, func, *arguments):
        """Do it."""
        self.count += 1
        return func(*arguments)


async def received(change, body, size, turns):
    """Take in an archive that comes in pieces of a size; return its contents."""
    tar = TarReader(pieces(*(body[at : at + size] for at in range(0, len(body), size))))
    manifest = await read_manifest(tar, 10_000, turns)
    contents = Contents(manifest.contents, change, call_limits(max_write=10 * PORTION))
    await contents.receive(tar, turns)
    return contents.files


@pytest.mark.parametrize("size", [1, 511, 513, 100_000])
async def test_contents_come_whole_however_the_stream_is_cut(change, size):
    """An empty one, too, which has no piece at all."""
    found = await received(change, files({"a": b"", "b": b"1" * 600, "c": b"2"}), size, Turns())
    assert {item.sha256: item.size for item in found.values()} == {
        sha(b""): 0, sha(b"1" * 600): 600, sha(b"2"): 1,
    }  # fmt: skip
    with found[bytes.fromhex(sha(b"2"))].opened() as descriptor:
        assert os.read(descriptor, 10) == b"2"


async def test_small_contents_take_no_turn_of_a_thread_each(change):
    """Ten thousand files would wait ten thousand times."""
    turns = Turns()
    contents = {f"f{n}": b"%d" % n for n in range(2 * MANY)}
    assert len(await received(change, files(contents), 65536, turns)) == 2 * MANY
    assert turns.count <= 6


async def test_no_more_than_a_portion_is_held_however_small_its_pieces(change, monkeypatch):
    """Of one large content, and of one that comes byte by byte."""
    held = []
    write = Contents._write

    def counted(self, portion):
        held.append((len(portion), sum(len(piece) for _, piece in portion)))
        write(self, portion)

    monkeypatch.setattr(Contents, "_write", counted)
    large = b"x" * (3 * PORTION)
    await received(change, files({"a": large}), 65536, Turns())
    await received(change, files({"a": b"y" * 3 * MANY}), 1, Turns())
    assert max(size for _, size in held) < PORTION + 65536
    assert max(count for count, _ in held) <= MANY
    assert sum(size for _, size in held) == 3 * PORTION + 3 * MANY


async def test_contents_end_at_the_deadline(change):
    """Also while nothing but writing is left to do."""
    tar = TarReader(pieces(files({"a": b"1"})))
    manifest = await read_manifest(tar, 10, Turns())
    contents = Contents(manifest.contents, change, call_limits(deadline=0))
    error = await refusal(contents.receive(tar, Turns()))
    assert error.code == "deadline_exceeded"


async def test_a_manifest_comes_by_portions(monkeypatch):
    """It is never held as a text."""
    monkeypatch.setattr(receiving, "PORTION", 1000)
    turns = Turns()
    body = archive(*(put(f"f{n}", b"") for n in range(100)))
    tar = TarReader(pieces(*(body[at : at + 100] for at in range(0, len(body), 100))))
    manifest = await read_manifest(tar, 100, turns)
    assert len(manifest.entries) == 100
    assert len(body) / 1100 < turns.count < len(body) / 900 + 3


async def test_what_is_wrong_with_a_tar_stream_is_told_as_what_is_wrong_with_the_archive(change):
    """Nobody gets a fault of the service for it."""
    with pytest.raises(AgenticError) as caught:
        await received(change, files({"a": b"1"})[:-1024], 512, Turns())
    assert (caught.value.code, "ends at byte" in caught.value.detail) == ("invalid_archive", True)
