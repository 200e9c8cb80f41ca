"""Texts are kept for merges, within a bound, and only as what they are."""

import hashlib
import os
import shutil

import pytest

from agentic.directory.kept.blobs import MAX_SIZE, Blobs


def keep(blobs, content):
    sha256 = hashlib.sha256(content).hexdigest()
    blobs.keep(sha256, content)
    return sha256


def test_a_text_is_found_as_it_was(tmp_path):
    """Both sides are merged against it."""
    blobs = Blobs(tmp_path)
    sha256 = keep(blobs, b"text")
    assert blobs.has(sha256)
    assert Blobs(tmp_path).find(sha256) == b"text"
    assert blobs.find("0" * 64) is None
    assert not blobs.has("0" * 64)


@pytest.mark.parametrize(
    "content", [b"x" * (MAX_SIZE + 1), b"\0binary"], ids=["too large", "binary"]
)
def test_what_no_merge_could_use_is_not_kept(tmp_path, content):
    """It would only take up room."""
    blobs = Blobs(tmp_path)
    assert blobs.find(keep(blobs, content)) is None


def test_a_content_that_is_another_is_neither_kept_nor_given(tmp_path):
    """A merge with a wrong base would lose lines silently."""
    blobs = Blobs(tmp_path)
    blobs.keep("0" * 64, b"text")
    assert blobs.find("0" * 64) is None
    sha256 = keep(blobs, b"text")
    (tmp_path / sha256).write_bytes(b"damaged")
    assert blobs.find(sha256) is None


def test_the_least_recently_used_go_first(tmp_path):
    """The room is bounded, and a text that a merge has used stays."""
    blobs = Blobs(tmp_path, max_total=25)
    kept = [keep(blobs, b"%010d" % number) for number in range(3)]
    for age, sha256 in enumerate(kept):
        os.utime(tmp_path / sha256, (1000 + age,) * 2)
    assert blobs.find(kept[0]) is not None
    blobs.prune()
    assert [blobs.has(sha256) for sha256 in kept] == [True, False, True]


def test_texts_that_somebody_removes_are_missed_by_nobody(tmp_path):
    """A command that has done its work does not fail for a cache."""
    blobs = Blobs(tmp_path / "blobs")
    (tmp_path / "blobs").mkdir()
    sha256 = keep(blobs, b"text")
    shutil.rmtree(tmp_path / "blobs")
    blobs.prune()
    assert not blobs.has(sha256)
