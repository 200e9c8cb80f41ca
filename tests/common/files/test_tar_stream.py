"""Tar streams: read as Python's own module reads them, and nothing but plain files taken."""

import asyncio
import io
import tarfile

import pytest
from hypothesis import given, settings, strategies as st

from common.files.tar_stream import (
    BLOCK,
    END,
    MAX_PADDING,
    MAX_SIZE,
    MalformedTar,
    TarReader,
    header_of,
    padding_of,
)

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=99)
MEMBERS = st.lists(
    st.tuples(NAMES.map(lambda name: name.strip("/") or "x"), st.binary(max_size=1500))
)
READ = (*range(100), *range(124, 136), *range(148, 157), *range(345, 500))
"""Where a header has a name, a size, a sum, a kind, and the rest of a name."""


def archive(members, form=tarfile.USTAR_FORMAT):
    """Return an archive as Python writes one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def cut(data, sizes):
    """Yield data in pieces of these sizes, over and over; some of them empty."""
    at, turn = 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if any(sizes) else len(data)
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def read(data, sizes=(BLOCK,), skipped=()):
    """Return all members with their contents, but for those whose number is skipped."""

    async def run():
        reader, found = TarReader(cut(data, sizes)), []
        while (member := await reader.next_member()) is not None:
            content = None
            if len(found) not in skipped:
                content = b"".join([piece async for piece in reader.content()])
            found.append((member.name, member.size, content))
        return found

    return asyncio.run(run())


def as_python(data):
    """Return what Python's own module makes of an archive."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [(item.name, item.size, tar.extractfile(item).read()) for item in tar]


def header(name="x", size=0, **changed):
    """Return a header in which fields are as given and the sum is right."""
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in changed.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


def summed(block):
    """Return a header with its sum put right."""
    total = sum(block[:148]) + sum(block[156:]) + 8 * 32
    return block[:148] + b"%06o\0 " % total + block[156:]


@settings(deadline=None)
@given(MEMBERS, st.lists(st.integers(0, 2000), min_size=1, max_size=5))
def test_tar_reader_reads_what_python_writes_however_it_is_cut(members, sizes):
    """Pieces end anywhere: within a header, a content, what fills a block, the end."""
    data = archive(members)
    assert read(data, sizes) == as_python(data)


@settings(deadline=None)
@given(MEMBERS, st.sets(st.integers(0, 5)))
def test_tar_reader_passes_over_contents_that_nobody_reads(members, skipped):
    """Who does not want a content gets the next member all the same."""
    found = read(archive(members), (700,), skipped)
    wanted = [(name, len(data), data) for name, data in members]
    assert [item[:2] for item in found] == [item[:2] for item in wanted]
    kept = [at for at in range(len(members)) if at not in skipped]
    assert [found[at] for at in kept] == [wanted[at] for at in kept]


def test_tar_reader_goes_on_behind_a_content_that_was_read_up_to_its_last_byte():
    """Who counts the bytes stops there; what fills the block was then taken for a header."""
    data = archive([("a", b"12345"), ("b", b"6")])

    async def run():
        reader = TarReader(cut(data, (len(data),)))
        await reader.next_member()
        first = await anext(reader.content())
        return first, await reader.next_member()

    first, member = asyncio.run(run())
    assert (first, member.name) == (b"12345", "b")


@settings(deadline=None, max_examples=300)
@given(MEMBERS.filter(len), st.sampled_from(READ), st.integers(0, 255), st.booleans())
def test_tar_reader_takes_no_changed_archive_for_another_than_python_does(
    members, at, byte, is_summed
):
    """A byte of what is read of a header is changed: it is refused, or both read the same files."""
    changed = bytearray(archive(members))
    changed[at] = byte
    if is_summed:
        changed[:BLOCK] = summed(bytes(changed[:BLOCK]))
    try:
        found = read(bytes(changed), (4096,))
    except MalformedTar:
        return
    assert [item[1:] for item in found] == [item[1:] for item in as_python(bytes(changed))]


@given(st.binary(max_size=3 * BLOCK))
def test_tar_reader_ends_with_its_own_error_on_anything(data):
    """No garbage is a fault of the service."""
    try:
        assert read(data) == []
    except MalformedTar:
        return
    assert not any(data)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.CHRTYPE, "a character device"),
        (tarfile.BLKTYPE, "a block device"),
        (tarfile.DIRTYPE, "a directory"),
        (tarfile.FIFOTYPE, "a FIFO"),
        (tarfile.CONTTYPE, "of an unknown kind"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (tarfile.GNUTYPE_LONGNAME, "a long name"),
        (tarfile.GNUTYPE_LONGLINK, "a long link"),
        (tarfile.XHDTYPE, "an extended header"),
        (tarfile.XGLTYPE, "an extended header"),
        (b"Z", "of an unknown kind"),
    ],
    ids=[
        "hard-link", "symbolic-link", "character-device", "block-device", "directory", "fifo",
        "contiguous", "sparse", "long-name", "long-link", "pax", "pax-global", "unknown",
    ],
)  # fmt: skip
def test_tar_reader_refuses_a_member_by_its_kind(kind, told):
    """Nothing is made of it; the kind is named, for that is what has to be left out."""
    with pytest.raises(MalformedTar, match=f"'x/?' is {told}"):
        read(header(type=kind) + END)


def test_tar_reader_refuses_a_directory_of_before_there_were_kinds():
    """Its name ends with a slash, and that was all that told."""
    old = header("x/")
    with pytest.raises(MalformedTar, match="is a directory"):
        read(summed(old[:156] + b"\0" + old[157:]) + END)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "ends at byte 0"),
        (header(), "ends at byte 512"),
        (header(size=3) + b"ab", "ends at byte 514"),
        (header(size=3) + b"abc", "ends at byte 515"),
        (header()[:-1], "ends at byte 511"),
        (b"x" * BLOCK, "no header of a member at byte 0"),
        (header() + b"x" * BLOCK, "no header of a member at byte 512"),
        (header()[:148] + b"0000009\0" + header()[156:], "no header"),
        (header()[:148] + bytes(8) + header()[156:], "no header"),
        (summed(header()[:124] + b"00000000009\0" + header()[136:]), "size or the name"),
        (summed(header()[:124] + b"\x80" + bytes(10) + b"\x01" + header()[136:]), "size or the name"),
        (summed(header()[:124] + b"-0000000001\0" + header()[136:]), "size or the name"),
        (summed(header()[:124] + bytes(12) + header()[136:]), "size or the name"),
        (summed(header()[:345] + b"prefix" + header()[351:]), "size or the name"),
        (END + b"x", "follows its end"),
        (END + header() + END, "follows its end"),
        (END + bytes(MAX_PADDING + 1), "follows its end"),
    ],
    ids=[
        "empty", "no-end", "cut-content", "cut-block", "cut-header", "no-header", "no-second-header",
        "sum-not-octal", "no-sum", "size-not-octal", "size-base-256", "size-negative", "no-size",
        "prefix", "trailing-byte", "trailing-member", "too-long-padding",
    ],
)  # fmt: skip
def test_tar_reader_refuses_a_malformed_stream(data, told):
    """It says where, and takes no part of it for the whole."""
    with pytest.raises(MalformedTar, match=told):
        read(data)


def test_tar_reader_takes_the_padding_of_writers():
    """GNU tar and Python fill a record; one block of zeroes ends an archive as well as two."""
    for padding in (BLOCK, 2 * BLOCK, 10240, MAX_PADDING):
        assert read(header() + bytes(padding), (1000,)) == [("x", 0, b"")]


def test_tar_reader_shows_a_name_that_would_move_the_cursor():
    """Names come into messages, and those to a terminal."""
    [(name, _, _)] = read(header("a\x1b[2J\nb") + END)
    assert name == "a\\x1b[2J\\nb"


@given(MEMBERS)
def test_tar_blocks_that_are_sent_are_an_archive_to_python(members):
    """Header, content and padding of each, then the end."""
    sent = b"".join(
        header_of(name, len(data)) + data + padding_of(len(data)) for name, data in members
    )
    wanted = [(name, len(data), data) for name, data in members]
    assert as_python(sent + END) == wanted == read(sent + END)


def test_tar_headers_hold_the_largest_member_and_nothing_more():
    """A size that does not fit would come to be another one."""
    assert header_of("x", MAX_SIZE)[124:136] == b"77777777777\0"
    with pytest.raises(ValueError, match="overflow"):
        header_of("x", MAX_SIZE + 1)
