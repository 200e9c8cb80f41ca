"""Archives: tars of the SDK as a workspace takes them in, and as the SDK keeps them."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from agents.sandbox import WorkspaceArchiveWriteError

from agentic.harnesses.openai_agents import archives
from agentic.harnesses.openai_agents.archives import Packed, is_within, packed, without
from common.files.archives import ManifestDeletion


def _tar(*members):
    """Return a tar of members: name, content and whatever else their headers say."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content, more in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    out.seek(0)
    return out


async def _unpacked(archive, *gone):
    """Return the manifest's entries, and the contents by name."""
    with archive.contents:
        sent = io.BytesIO(b"".join([piece async for piece in archive.pieces(gone)]))
    with tarfile.open(fileobj=sent) as tar:
        first, *rest = tar.getmembers()
        lines = tar.extractfile(first).read().splitlines()
        contents = {member.name: tar.extractfile(member).read() for member in rest}
    return first.name, [json.loads(line) for line in lines], contents


async def test_manifest_comes_first_and_each_content_once():
    """So is the form of docs/archives.md; who sends a content twice is refused."""
    tar = _tar(("./a", b"one", {"mode": 0o755}), ("d/b", b"one", {}), ("d/c", b"", {"mode": 0o600}))
    name, entries, contents = await _unpacked(packed(tar))
    one, nothing = (hashlib.sha256(content).hexdigest() for content in (b"one", b""))
    assert name == "manifest.ndjson"
    assert [
        (entry["path"], entry["sha256"], entry["size"], entry["mode"]) for entry in entries
    ] == [
        ("a", one, 3, "0755"),
        ("d/b", one, 3, "0644"),
        ("d/c", nothing, 0, "0644"),
    ]
    assert contents == {one: b"one", nothing: b""}


async def test_name_that_comes_twice_is_the_last_ones():
    """As it is unpacked: what is overwritten is not even sent."""
    _, entries, contents = await _unpacked(packed(_tar(("a", b"old", {}), ("./a", b"new", {}))))
    assert [entry["path"] for entry in entries] == ["a"]
    assert list(contents.values()) == [b"new"]


async def test_names_are_written_as_the_service_reads_them():
    """A name is bytes: what is no UTF-8 is told by its bytes, and a backslash is no separator."""
    tar = _tar((b"caf\xe9\\x".decode("utf-8", "surrogateescape"), b"x", {}))
    _, [entry], _ = await _unpacked(packed(tar))
    assert entry["path"] == "caf\\xe9\\\\x"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "neither links nor specials"),
        (tarfile.LNKTYPE, "neither links nor specials"),
        (tarfile.FIFOTYPE, "neither links nor specials"),
    ],
)
def test_links_and_specials_are_refused_by_name(kind, why):
    """Nothing is left out in silence that somebody relies on."""
    tar = _tar(("a", b"x", {}), ("to/it", b"", {"type": kind, "linkname": "a"}))
    with pytest.raises(WorkspaceArchiveWriteError, match=f"'to/it' of the archive: .*{why}"):
        packed(tar)


async def test_directories_come_with_their_files():
    """The form has no line for a directory."""
    tar = _tar(("d", b"", {"type": tarfile.DIRTYPE}), ("d/a", b"x", {}))
    _, entries, _ = await _unpacked(packed(tar))
    assert [entry["path"] for entry in entries] == ["d/a"]


def test_what_is_no_tar_is_refused():
    """A snapshot that was cut off says so, and is not an empty workspace."""
    with pytest.raises(WorkspaceArchiveWriteError, match="no tar"):
        packed(io.BytesIO(b"x" * 2000))


def test_paths_are_left_out_with_what_is_in_them():
    """By whole names: `src2` is not in `src`."""
    tar = _tar(*((name, b"x", {}) for name in ("src/a", "src/d/b", "src2/c", "d/src")))
    with without(tar, {Path("src")}) as out, tarfile.open(fileobj=out) as kept:
        assert kept.getnames() == ["src2/c", "d/src"]
        assert kept.extractfile("d/src").read() == b"x"


def test_tar_is_passed_on_where_nothing_is_left_out():
    """A large one is not written twice for nothing."""
    tar = _tar(("a", b"x", {}))
    assert without(tar, set()) is tar


@pytest.mark.parametrize(
    ("path", "expected"), [("a/b", True), ("a/b/c", True), ("a", False), ("a/bc", False)]
)
def test_path_is_within_another_by_whole_names(path, expected):
    """`a/b` itself, and what is beneath it."""
    assert is_within(path, {Path("x"), Path("a/b")}) is expected


async def test_files_that_are_to_go_are_named_after_the_others():
    """One manifest for all: what is put and what is taken away is one change."""
    gone = ManifestDeletion(path="old", deleted=True, expected_sha256="0" * 64)
    _, entries, _ = await _unpacked(packed(_tar(("a", b"x", {}))), gone)
    assert [(entry["path"], entry.get("deleted")) for entry in entries] == [
        ("a", None),
        ("old", True),
    ]


async def test_archive_is_sent_from_its_beginning_each_time(monkeypatch):
    """A lost answer is asked for again with all of the body."""
    monkeypatch.setattr(archives, "PIECE", 2)
    archive = Packed((), io.BytesIO(b"12345"))
    for _ in range(2):
        _, *contents = [piece async for piece in archive.pieces()]
        assert contents == [b"12", b"34", b"5"]
