"""Manifests: read strictly, however they are cut, and bounded by lines and bytes."""

import hashlib
import json
import tracemalloc

import pytest
from hypothesis import given, strategies as st

from common.errors import AgenticError
from common.files.archives import MAX_LINE
from execution_environment.archives.manifest import MEAN_LINE, ManifestReader
from tests.execution_environment.conftest import sha

HASH = sha(b"1")


def file(path="a", **more):
    """Return the line of a file."""
    return {"path": path, "sha256": HASH, "size": 1, **more}


def gone(path="a", expected=HASH):
    """Return the line of a file that is to go."""
    return {"path": path, "deleted": True, "expected_sha256": expected}


def text(*lines):
    """Return lines as they are sent; bytes are sent as they are."""
    sent = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return b"".join(line + b"\n" for line in sent)


def read(data, most=1000, size=1 << 20):
    """Return a manifest that comes in pieces of a size."""
    reader = ManifestReader(most)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    return reader.finish()


def refused(data, **how):
    """Return the error that a manifest is refused with."""
    with pytest.raises(AgenticError) as caught:
        read(data, **how)
    return caught.value


@given(st.integers(1, 200))
def test_a_manifest_is_the_same_however_it_is_cut(size):
    """Pieces end within a line, and within a character."""
    data = text(
        file("ä/é.txt", mode="0755", expected_sha256=HASH), gone("x"), file("./b//c", size=1)
    )
    manifest = read(data, size=size)
    assert manifest.sha256 == hashlib.sha256(data).hexdigest()
    assert list(manifest.entries) == ["ä/é.txt".encode(), b"x", b"b/c"]
    assert manifest.contents == {bytes.fromhex(HASH): 1}
    first, second, third = manifest.entries.values()
    assert (first.is_executable, first.expected, first.size) == (True, bytes.fromhex(HASH), 1)
    assert (second.sha256, second.expected) == (None, bytes.fromhex(HASH))
    assert (third.is_executable, third.expected, third.parts) == (False, None, (b"b", b"c"))


def test_a_manifest_may_be_empty_and_its_last_line_may_have_no_end():
    """Not every writer ends its last line."""
    assert read(b"").entries == {}
    assert list(read(text(file("a"), file("b")).rstrip(b"\n")).entries) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"", "Line 2 of the manifest is not valid JSON"),
        (b"{", "Line 2 of the manifest is not valid JSON"),
        (b"[]", "Line 2 of the manifest is not valid"),
        (b'{"path":"b","path":"c"}', "duplicate key"),
        (b'{"path":"b","size":NaN}', "expected value at line 1 column 20"),
        (b'{"path":"\\ud800"}', "hex escape"),
        (b"\xff", "not valid Unicode"),
        (file("b", sha256="x"), "sha256: "),
        (file("b", sha256=HASH.upper()), "sha256: "),
        (file("b", size=-1), "size: "),
        (file("b", size=1.0), "size: "),
        (file("b", size="1"), "size: "),
        (file("b", mode="755"), "mode: "),
        (file("b", mode="0999"), "mode: "),
        (file("b", more=1), "more: "),
        (file(""), "path: "),
        ({"path": "b", "sha256": HASH}, "size: "),
        ({"path": "b", "deleted": True}, "expected_sha256: "),
        ({**gone("b"), "deleted": False}, "deleted: "),
        ({**file("b"), "deleted": True}, "sha256: "),
        (file("."), "Line 2 of the manifest names the workspace itself"),
        (file("a"), "Line 2 of the manifest names 'a' again"),
        (file("./a/"), "Line 2 of the manifest names 'a' again"),
        (file("\\x61"), "Line 2 of the manifest names 'a' again"),
        (gone("a"), "Line 2 of the manifest names 'a' again"),
        (file("b", size=2), "another size"),
        (file("a/b"), "'a/b' and a file above it"),
        (file("a/b/c/d"), "'a/b/c/d' and a file above it"),
        (b'{"path":"' + b"x" * MAX_LINE + b'"}', "longer than 32768 bytes"),
    ],
    ids=[
        "blank", "cut", "array", "duplicate-key", "nan", "surrogate", "not-utf-8", "no-hash",
        "upper-case", "negative", "float", "text", "mode-without-0", "mode-of-9", "unknown-field",
        "empty-path", "no-size", "no-expectation", "not-deleted", "both", "workspace", "twice",
        "twice-in-other-words", "twice-escaped", "both-lines", "two-sizes", "below", "far-below",
        "long",
    ],
)  # fmt: skip
def test_a_line_that_is_not_valid_is_refused_by_its_number(line, told):
    """A manifest is written by a program: its author wants to know where to look."""
    error = refused(text(file("a"), line))
    assert (error.code, told in error.detail) == ("invalid_archive", True), error.detail


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "a/../b", "\\x2e\\x2e/x", "a\0b", "a\\x00b", "x" * 256, "x/" * 2047 + "xy"],
    ids=["absolute", "parent", "inner", "escaped", "nul", "escaped-nul", "long-name", "long"],
)  # fmt: skip
def test_a_path_of_a_manifest_is_held_like_every_other(path):
    """As the tools' own; none is put right."""
    assert refused(text(file(path))).code in ("path_not_allowed", "invalid_archive")


@pytest.mark.parametrize(
    "lines",
    [
        (gone("a"), file("a/b")),
        (file("a/b"), gone("a")),
        (file("a"), gone("a/b"), gone("a/c/d")),
        (file("a"), file("a.b"), file("a-b"), file("ab/c")),
        (file("A"), file("a"), file("\u00e4"), file("a\u0308"), file("a\nb")),
    ],
    ids=["file-to-directory", "in-another-order", "directory-to-file", "beside", "other-spelling"],
)
def test_a_manifest_may_name_what_makes_room_and_what_only_looks_alike(lines):
    """One of two names, one in the other, is deleted; or none is in the other at all."""
    assert len(read(text(*lines)).entries) == len(lines)


def test_a_manifest_is_bounded_in_lines_and_bytes_while_it_comes():
    """The bound is crossed at once, not at the end."""
    reader = ManifestReader(10)
    error = refused(text(*(file(str(n)) for n in range(11))), most=10)
    assert (error.code, error.context.limit, error.context.actual) == ("request_too_large", 10, 11)
    with pytest.raises(AgenticError) as caught:
        reader.require_size(MAX_LINE + 1)
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", MAX_LINE)
    long = text(*(file(f"{'x' * 250}/{'y' * 250}/{n}" * 3) for n in range(100)))
    assert len(long) > 100 * MEAN_LINE
    assert refused(long, most=100).code == "request_too_large"


def test_a_manifest_is_kept_small():
    """Never as a text: 20,000 files of a usual length take some megabytes."""
    reader = ManifestReader(100_000)
    tracemalloc.start()
    try:
        for n in range(20_000):
            line = file(f"some/usual/directory/file-{n}.txt", sha256=sha(b"%d" % n))
            reader.feed(text(line))
        manifest = reader.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(manifest.entries) == 20_000
    assert peak < 15_000_000
