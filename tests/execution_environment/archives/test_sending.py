"""Archives of differences: each content once, whole and as it was told, or the stream has no end."""

import io
import tarfile
import threading
import time

import pytest

from common.errors import AgenticError
from common.files import tar_stream
from common.files.archives import MANIFEST
from execution_environment.archives.comparing import Comparison, Present, compare
from execution_environment.archives.sending import (
    PIECE,
    Outgoing,
    archive_of,
    lines_of,
    require_sizes,
)
from execution_environment.sandbox.descriptors import Identity
from execution_environment.workspace.reader import Reader
from tests.execution_environment.archives.manifests import manifest_of
from tests.execution_environment.conftest import call_limits, sha

GENERATION = "0" * 16


@pytest.fixture
def reader(root):
    """What reads the files of the workspace."""
    return Reader(root, call_limits(), searchers=None)


@pytest.fixture
def compared(survey):
    """Compare the workspace with these files."""
    return lambda **files: compare(
        manifest_of({name.encode(): (content, False) for name, content in files.items()}),
        survey(),
        GENERATION,
    )


def whole(pieces) -> bytes:
    """Return all of a stream, as a service sends it."""
    outgoing = Outgoing(pieces, call_limits())
    return b"".join(iter(outgoing.read, b""))


def _content(archive, member):
    with archive.extractfile(member) as content:
        return content.read()


def members_of(data: bytes):
    """Return an archive's members, as Python's own reader has them."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(member.name, _content(archive, member)) for member in archive]


def test_an_archive_has_the_differences_and_then_each_content_once(compared, reader, demo):
    """What the manifest has so already is not sent; nor is what is gone."""
    large = bytes(range(256)) * 4000
    for name, content in {"a": b"1", "b": b"1", "c": large, "d": b"same", "e": b""}.items():
        (demo / name).write_bytes(content)
    comparison = compared(b=b"2", d=b"same", x=b"gone")
    members = members_of(whole(archive_of(comparison, reader)))
    assert members[0] == (MANIFEST, b"".join(comparison.lines()))
    assert members[1:] == [(sha(content), content) for content in (b"1", large, b"")]


def test_an_archive_of_no_differences_has_only_their_count(compared, reader, demo):
    """It is an archive all the same."""
    members = members_of(whole(archive_of(compared(), reader)))
    assert [name for name, _ in members] == [MANIFEST]


def test_lines_are_sent_as_they_are(compared, demo):
    """Nothing comes between them."""
    (demo / "a").write_bytes(b"1")
    comparison = compared()
    assert whole(lines_of(comparison)) == b"".join(comparison.lines())


def written(demo):
    (demo / "f").write_bytes(b"2" * PIECE * 3)


def replaced(demo):
    (demo / "new").write_bytes(b"1" * PIECE * 3)
    (demo / "new").rename(demo / "f")


def removed(demo):
    (demo / "f").unlink()


def made_a_directory(demo):
    (demo / "f").unlink()
    (demo / "f").mkdir()


@pytest.mark.parametrize("change", [written, replaced, removed, made_a_directory])
def test_a_file_that_changed_after_it_was_compared_ends_the_archive(compared, reader, demo, change):
    """Its content is another one than the differences tell; so the archive never has its end."""
    (demo / "f").write_bytes(b"1" * PIECE * 3)
    pieces = archive_of(compared(), reader)
    change(demo)
    assert_cut(pieces, "'f' has changed")


@pytest.mark.parametrize("change", [written, replaced])
def test_a_file_that_changes_while_it_is_sent_ends_the_archive(compared, reader, demo, change):
    """What was sent is neither the old content nor the new one, for all that is known."""
    (demo / "f").write_bytes(b"1" * PIECE * 3)
    pieces = archive_of(compared(), reader)
    header = sha(b"1" * PIECE * 3).encode()
    while not next(pieces).startswith(header):
        pass
    next(pieces)
    change(demo)
    assert_cut(pieces, "'f' has changed")


def test_a_file_that_becomes_shorter_while_it_is_sent_ends_the_archive(compared, reader, demo):
    """There is nothing to send in place of what is missing."""
    (demo / "f").write_bytes(b"1" * PIECE * 3)
    pieces = archive_of(compared(), reader)
    header = sha(b"1" * PIECE * 3).encode()
    while not next(pieces).startswith(header):
        pass
    with (demo / "f").open("r+b") as file:
        file.truncate(PIECE)
    assert_cut(pieces, "shorter")


def assert_cut(pieces, why):
    """Take what is left of an archive: it ends with an error, and not with the blocks of an end."""
    sent = []
    with pytest.raises(AgenticError) as caught:
        sent.extend(pieces)
    assert why in caught.value.detail
    assert tar_stream.END not in sent


def test_a_file_of_which_a_header_cannot_tell_is_refused_before_anything_is_sent(demo):
    """8 GiB; who asks for lines only is told of it all the same."""
    huge = Present("file", b"0" * 32, tar_stream.MAX_SIZE + 1, 0o644, Identity(1, 1))
    most = Present("file", b"1" * 32, tar_stream.MAX_SIZE, 0o644, Identity(1, 1))
    manifest = manifest_of({})
    require_sizes(Comparison(manifest, {b"most": most, b"gone": None}, frozenset(), None))
    with pytest.raises(AgenticError) as caught:
        require_sizes(Comparison(manifest, {b"huge": huge}, frozenset(), None))
    assert (caught.value.code, caught.value.context.path) == ("file_too_large", "huge")
    assert tar_stream.header_of("x", tar_stream.MAX_SIZE)


def test_an_answer_is_sent_in_pieces_of_a_size_that_is_worth_a_thread(demo):
    """Many small ones go together, a large one is not cut again."""
    outgoing = Outgoing((bytes(1000) for _ in range(1000)), call_limits())
    sizes = list(map(len, iter(outgoing.read, b"")))
    assert sum(sizes) == 1_000_000
    assert all(PIECE <= size < PIECE + 1000 for size in sizes[:-1])


def test_an_answer_ends_at_its_deadline():
    """Also between the pieces that are not sent yet."""
    outgoing = Outgoing(iter([b"1"]), call_limits(deadline=time.monotonic()))
    assert outgoing.seconds_left == 0
    with pytest.raises(AgenticError) as caught:
        outgoing.read()
    assert caught.value.code == "deadline_exceeded"


@pytest.mark.parametrize("read", [0, 1])
def test_an_answer_that_is_given_up_gives_its_file_back(
    compared, reader, demo, open_descriptors, read
):
    """Before its first piece or after it; twice is as good as once."""
    (demo / "f").write_bytes(b"1" * PIECE * 3)
    comparison = compared()
    before = open_descriptors()
    outgoing = Outgoing(archive_of(comparison, reader), call_limits())
    for _ in range(read):
        outgoing.read()
    assert open_descriptors() == before + read
    outgoing.close()
    outgoing.close()
    assert open_descriptors() == before
    assert outgoing.read() == b""


def test_an_answer_that_is_given_up_in_the_midst_of_a_piece_does_not_wait_for_it():
    """The event loop would stand still; the thread that makes the piece closes up."""
    arrived, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def pieces():
        try:
            arrived.set()
            assert go_on.wait(10)
            yield bytes(PIECE)
        finally:
            closed.set()

    outgoing = Outgoing(pieces(), call_limits())
    thread = threading.Thread(target=outgoing.read)
    thread.start()
    assert arrived.wait(10)
    outgoing.close()
    assert not closed.is_set()
    go_on.set()
    thread.join()
    assert closed.is_set()
