"""Archives with real names: what every tar takes apart again, of a workspace that others work in."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from common.errors import AgenticError
from common.files import tar_stream
from execution_environment.archives.packing import pack
from execution_environment.archives.sending import PIECE
from execution_environment.workspace.reader import Reader
from tests.execution_environment.conftest import call_limits

LONG = "d" * 120 + "/" + "f" * 200


@pytest.fixture
def reader(root):
    """What reads the files of the workspace."""
    return Reader(root, call_limits(), searchers=None)


def packed(reader, path="."):
    """Return the members of an archive, as Python's own reader has them, and their contents."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(pack(reader, path)))) as archive:
        return {
            member.name: (member, archive.extractfile(member).read() if member.isreg() else None)
            for member in archive
        }


def test_an_archive_has_every_file_and_directory_with_its_name(reader, demo):
    """However long, and whatever bytes it has; empty directories too."""
    (demo / "empty").mkdir()
    (demo / LONG).parent.mkdir()
    (demo / LONG).write_bytes(b"long")
    (demo / "é").write_bytes(b"accented")
    Path(os.fsdecode(os.fsencode(demo) + b"/\xff")).write_bytes(b"odd")
    (demo / "large").write_bytes(bytes(range(256)) * 4000)
    members = packed(reader)
    assert {name: content for name, (_, content) in members.items()} == {
        "empty": None,
        LONG.partition("/")[0]: None,
        LONG: b"long",
        "é": b"accented",
        os.fsdecode(b"\xff"): b"odd",
        "large": bytes(range(256)) * 4000,
    }


def test_an_archive_tells_nothing_of_who_owns_the_files(reader, demo):
    """Who unpacks it owns them; they are as executable as they were, and as old."""
    for name, mode in (("f", 0o600), ("x", 0o777)):
        (demo / name).write_bytes(b"1")
        (demo / name).chmod(mode)
        os.utime(demo / name, (1_000_000_000, 1_000_000_000))
    (demo / "d").mkdir(mode=0o700)
    members = packed(reader)
    for member, _ in members.values():
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
    assert {name: member.mode for name, (member, _) in members.items()} == {
        "f": 0o644,
        "x": 0o755,
        "d": 0o755,
    }
    assert members["f"][0].mtime == 1_000_000_000


def test_links_and_specials_are_in_no_archive(reader, demo, outside):
    """Nothing that they lead to is, either."""
    os.symlink(outside, demo / "link")
    os.symlink(outside / "canary.txt", demo / "file")
    os.mkfifo(demo / "pipe")
    (demo / "f").write_bytes(b"1")
    assert list(packed(reader)) == ["f"]


def test_an_archive_of_a_path_has_what_is_there_beneath_its_name_in_the_workspace(reader, demo):
    """So that it is unpacked to where it was."""
    (demo / "src" / "lib").mkdir(parents=True)
    (demo / "src" / "lib" / "f").write_bytes(b"1")
    (demo / "other").write_bytes(b"2")
    assert list(packed(reader, "src")) == ["src", "src/lib", "src/lib/f"]
    assert list(packed(reader, "src/lib/f")) == ["src/lib/f"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("missing", "path_not_found"),
        ("f/x", "not_a_directory"),
        ("link", "path_not_allowed"),
        ("link/canary.txt", "path_not_allowed"),
        ("pipe", "unsupported_file"),
        ("../demo2", "path_not_allowed"),
    ],
)
def test_an_archive_of_what_cannot_be_read_is_refused_before_anything_is_sent(
    reader, demo, outside, path, code
):
    """The answer says why."""
    (demo / "f").write_bytes(b"1")
    os.symlink(outside, demo / "link")
    os.mkfifo(demo / "pipe")
    with pytest.raises(AgenticError) as caught:
        pack(reader, path)
    assert caught.value.code == code


def test_an_archive_of_a_workspace_that_is_not_made_yet_is_empty(reader, demo):
    """As its listing is."""
    demo.rmdir()
    assert packed(reader) == {}


def test_a_file_that_vanishes_is_passed_over(reader, demo):
    """It was listed, and then it was gone, or a link by then."""
    for name in ("a", "b", "c"):
        (demo / name).write_bytes(b"1")
    pieces = pack(reader, ".")
    first = next(pieces)[:1].decode()
    gone, kept = sorted({"a", "b", "c"} - {first})
    (demo / gone).unlink()
    os.symlink(kept, demo / gone)
    rest = b"".join(pieces)
    assert (gone.encode() + bytes(90) in rest, kept.encode() + bytes(90) in rest) == (False, True)
    assert rest.endswith(tar_stream.END)


def test_a_file_that_is_written_while_it_is_sent_ends_the_archive(reader, demo):
    """A mixture of two contents is no copy; that a file is replaced meanwhile hurts nothing."""
    (demo / "f").write_bytes(b"1" * 3 * PIECE)
    pieces = pack(reader, "f")
    assert next(pieces).startswith(b"f\0")
    (demo / "new").write_bytes(b"2")
    (demo / "new").rename(demo / "f")
    assert b"".join(pieces) == b"1" * 3 * PIECE + tar_stream.END
    (demo / "f").write_bytes(b"1" * 3 * PIECE)
    pieces = pack(reader, "f")
    next(pieces)
    with (demo / "f").open("r+b") as file:
        file.write(b"2")
    with pytest.raises(AgenticError) as caught:
        b"".join(pieces)
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)


def test_an_archive_is_taken_apart_by_the_systems_own_tar(reader, demo, tmp_path):
    """Not only by the library that wrote its headers."""
    (demo / LONG).parent.mkdir()
    (demo / LONG).write_bytes(b"long")
    (demo / "é").write_bytes(b"accented")
    (tmp_path / "unpacked").mkdir()
    archive = b"".join(pack(reader, "."))
    subprocess.run(["tar", "-x", "-C", tmp_path / "unpacked"], input=archive, check=True)
    unpacked = tmp_path / "unpacked"
    assert (unpacked / LONG).read_bytes() == b"long"
    assert (unpacked / "é").read_bytes() == b"accented"
