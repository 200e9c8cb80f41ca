"""A server that lies: whatever it sends is refused as a whole, before anything here is touched."""

import tarfile
from contextlib import asynccontextmanager

import pytest
from pydantic import ValidationError

from agentic.directory import differences
from agentic.directory.names import plain
from agentic.directory.pulling.incoming import read_theirs, require_tree
from common.errors import AgenticError
from common.files.archives import DIFFERENCE_LINE, MANIFEST, Difference, DifferenceCount
from common.files.tar_stream import END, header_of, padding_of
from tests.agentic.directory.fakes import FakeArchives, sha256
from tests.agentic.directory.pulling.places import Place, tree

BASE = {"a": b"one\n", "d/b": b"two\n"}
CONTENT = b"theirs\n"


def told(path, state="new", **facts):
    """A line about a file of CONTENT."""
    facts = {"type": "file", "sha256": sha256(CONTENT), "size": len(CONTENT), **facts}
    return Difference(path=path, state=state, **{"mode": "0644", **facts})


def count(lines, **facts):
    """The end line that fits."""
    states = [line.state for line in lines]
    counts = {state: states.count(state) for state in ("new", "changed", "gone")}
    return DifferenceCount(**{**counts, "same": 0, "skipped": 0, "generation": "0" * 16, **facts})


class Hostile(FakeArchives):
    """Answers the lines and the pieces of an archive that it is given; counts what was asked."""

    def __init__(self, lines=None, pieces=None):
        super().__init__()
        self.lines, self.pieces, self.fetched, self.yielded = lines, pieces, 0, 0

    async def diff(self, session_id, manifest):
        for line in self.lines:
            self.yielded += 1
            yield line

    @asynccontextmanager
    async def get_differences(self, session_id, manifest):
        self.fetched += 1
        yield self._pieces()

    async def _pieces(self):
        for piece in self.pieces:
            self.yielded += 1
            yield piece


@pytest.fixture
def refusal(tmp_path):
    """Pull from a hostile server; return its refusal, nothing having been touched anywhere."""

    async def pulled(hostile):
        place = Place(tmp_path, BASE, archives=hostile)
        (tmp_path / "canary").write_bytes(b"canary")
        before = tree(tmp_path / "dir"), place.base()
        for choice in (None, "theirs"):
            with pytest.raises(AgenticError) as caught:
                await place.pull(choice)
        assert (tree(tmp_path / "dir"), place.base()) == before
        assert (tmp_path / "canary").read_bytes() == b"canary"
        names = {"canary", "dir", "state"}
        assert {path.name for path in tmp_path.iterdir()} == names
        kept = {path.name for path in place.kept.iterdir()}
        assert kept == {"blobs", "known.json"}
        assert caught.value.source == "client"
        return caught.value

    return pulled


PATHS = {
    "above": "../x",
    "above in the middle": "d/../../x",
    "absolute": "/etc/passwd",
    "twice the slash": "d//x",
    "a dot": "d/./x",
    "a slash at the end": "d/",
    "NUL": "d/\\x00",
    "raw NUL": "d/\0",
    "escaped above": "\\x2e\\x2e/x",
    "escaped slash": "d\\x2f..\\x2f..\\x2fx",
    "too long": "d/" * 2100 + "x",
    "too long a name": "d" * 256,
    "too long, escaped": "\\x41" * 300,
    "too long when it is escaped": "/".join(["\\xff" * 200] * 10),
}
GIT = {
    "plain": ".git/hooks/pre-commit",
    "upper": ".GIT/hooks/pre-commit",
    "below": "d/.Git/config",
    "itself": ".git",
    "dots": ".git. ./config",
    "stream": ".git::$INDEX_ALLOCATION/config",
    "short name": "GIT~1/config",
    "ignored character": ".g\u200cit/config",
    "escaped": "\\x2egit/config",
    "backslash": ".git\\\\hooks\\\\x",
}
CONTROL = {
    "a line": "x\ny",
    "escape": "x\x1b[2J",
    "escaped": "x\\x1b[2J",
    "escaped line": "x\\x0ay",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_paths_that_lead_elsewhere_are_refused(refusal, path):
    """`../` and whatever comes to the same."""
    lines = [told("fine"), told(path)]
    hostile = Hostile([*lines, count(lines)])
    assert (await refusal(hostile)).code == "upstream_failed"
    assert hostile.fetched == 0


@pytest.mark.parametrize("path", [*GIT.values(), *CONTROL.values()], ids=[*GIT, *CONTROL])
async def test_what_does_harm_here_is_left_out_and_named(tmp_path, path):
    """A hook would be run by the next command of git, a line break would lie to the next script.

    All else comes: agents run `git init`, and anybody may push a file of any name.
    """
    place = Place(tmp_path, BASE)
    place.remote.write(plain(path), CONTENT)  # a service writes each name in one way
    place.remote.write("fine", CONTENT)
    pulled = await place.pull()
    assert tree(tmp_path / "dir").keys() == {*BASE, "fine"}
    assert ([step.path for step in pulled.steps], len(pulled.skipped)) == (["fine"], 1)
    assert place.base().keys() == {*BASE, "fine"}
    assert (await place.pull()).steps == []


LINES = {
    "a path twice": [told("x"), told("x")],
    "a path twice, spelt otherwise": [told("x"), told("\\x78")],
    "a path changed and gone": [told("a", "changed"), told("a", "gone")],
    "a file in a file": [told("x"), told("x/y")],
    "a file in a file that is here": [told("a/x")],
    "a file above files that are here": [told("d")],
    "gone, and never there": [told("x", "gone")],
    "changed, and never there": [told("x", "changed")],
    "new, and there before": [told("a", "new")],
    "no kind": [told("x", type=None)],
    "no hash": [told("x", sha256=None)],
    "no size": [told("x", size=None)],
    "no mode": [told("x", mode=None)],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
async def test_differences_that_cannot_be_are_refused(refusal, lines):
    """Each of them would put something where nothing was asked for, or in two ways."""
    hostile = Hostile([*lines, count(lines)])
    assert (await refusal(hostile)).code == "upstream_failed"
    assert hostile.fetched == 0


ODD = {
    "a hash that is a path": {"sha256": "../../../x"},
    "upper hash": {"sha256": "A" * 64},
    "negative size": {"size": -1},
    "size beyond all numbers": {"size": 2**70},
    "odd mode": {"mode": "0o7"},
    "setuid": {"mode": "4755"},
    "odd kind": {"type": "fifo"},
    "odd state": {"state": "moved"},
}


@pytest.mark.parametrize("facts", ODD.values(), ids=ODD)
def test_lines_that_hold_what_no_line_can_are_refused_as_they_are_read(facts):
    """Whoever reads differences is spared them."""
    with pytest.raises(ValidationError):
        DIFFERENCE_LINE.validate_python({**told("x").model_dump(), **facts})


async def test_more_than_the_disk_holds_is_refused_before_it_is_asked_for(refusal):
    """A size costs nothing to claim."""
    lines = [told("x", size=2**62)]
    hostile = Hostile([*lines, count(lines)])
    assert (await refusal(hostile)).code == "no_space"
    assert hostile.fetched == 0


async def test_a_difference_is_refused_that_does_not_end_or_counts_wrongly(refusal):
    """A cut answer would leave files out."""
    assert (await refusal(Hostile([told("x")]))).code == "upstream_failed"
    assert (await refusal(Hostile([told("x"), count([])]))).code == "upstream_failed"


async def test_ten_million_differences_are_refused_on_the_way(refusal, monkeypatch):
    """Memory is what a server would use up next."""
    monkeypatch.setattr(differences, "MAX_DIFFERENCES", 1000)
    hostile = Hostile(told(f"x{number}") for number in range(10_000_000))
    with pytest.raises(AgenticError, match="more than 1000"):
        await anext_error(hostile)
    assert hostile.yielded == 1001


async def test_differences_with_endless_paths_are_refused_on_the_way(monkeypatch):
    """Few lines may take up as much as many."""
    monkeypatch.setattr(differences, "MAX_PATHS", 1000)
    hostile = Hostile(told(f"{number:0200}") for number in range(10_000))
    with pytest.raises(AgenticError, match="too long paths"):
        await anext_error(hostile)
    assert hostile.yielded == 6


async def test_differences_with_endless_directories_are_refused_on_the_way(monkeypatch):
    """All those above a path are looked at, and held, as well."""
    monkeypatch.setattr(differences, "MAX_PATHS", 1_000_000)
    hostile = Hostile(told(f"{number}/" + "d/" * 1000 + "x") for number in range(10_000))
    with pytest.raises(AgenticError, match="too long paths"):
        await anext_error(hostile)
    assert hostile.yielded == 1


async def anext_error(hostile):
    """Read the differences of a hostile server."""
    await read_theirs(hostile.diff(None, None), {})


@pytest.mark.parametrize(
    ("one", "other"), [("README", "readme"), ("caf\u00e9", "cafe\u0301"), ("d/x", "D/y")]
)
def test_names_that_are_one_here_are_refused(one, other):
    """Where the disk takes them for the same, one would be written over the other."""
    with pytest.raises(AgenticError, match="same name") as caught:
        require_tree({one, other}, lambda: True)
    assert caught.value.code == "path_not_allowed"
    require_tree({one, other}, lambda: False)


# The archive


def member(name, content, size=None):
    """The blocks of one member."""
    size = len(content) if size is None else size
    return header_of(name, size) + content + padding_of(len(content))


def manifest(lines):
    """The member that tells of these lines."""
    ended = [*lines, count(lines)]
    return member(MANIFEST, b"".join(line.model_dump_json().encode() + b"\n" for line in ended))


def odd(kind, name="x", **facts):
    """A member of another kind."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info.tobuf(tarfile.PAX_FORMAT)


WANTED = [told("x")]
GOOD = member(sha256(CONTENT), CONTENT)
FIRST = manifest(WANTED)
TEXT = FIRST[512:].rstrip(b"\0")
ARCHIVES = {
    "nothing": [],
    "no archive": [b"<html>" * 200],
    "no manifest": [GOOD, END],
    "cut in the manifest": [FIRST[:700]],
    "cut in a content": [FIRST, GOOD[:515]],
    "no end": [FIRST, GOOD],
    "no content": [FIRST, END],
    "another content": [FIRST, member(sha256(CONTENT), b"others\n"), END],
    "a longer content": [FIRST, member(sha256(CONTENT), CONTENT + b"!"), END],
    "a shorter content": [FIRST, member(sha256(CONTENT), CONTENT[1:]), END],
    "a content that nobody wants": [FIRST, GOOD, member(sha256(b"more"), b"more"), END],
    "a content twice": [FIRST, GOOD, GOOD, END],
    "a manifest more": [FIRST, FIRST, GOOD, END],
    "a manifest at the end": [FIRST, GOOD, FIRST, END],
    "another manifest": [manifest([told("x"), told("y")]), GOOD, END],
    "an empty manifest": [manifest([]), GOOD, END],
    "a manifest that goes on": [
        header_of(MANIFEST, len(TEXT) + 65536),
        TEXT,
        *[b"\n" * 512] * 128,
        padding_of(len(TEXT)),
        GOOD,
        END,
    ],
    "a line that is endless": [header_of(MANIFEST, 8**11 - 1), *[b"x" * 65536] * 10],
    "a manifest of garbage": [member(MANIFEST, b"{}\n"), GOOD, END],
    "an absolute path": [FIRST, member("/etc/passwd", CONTENT), END],
    "a path above": [FIRST, member("../x", CONTENT), END],
    "a link": [FIRST, odd(tarfile.SYMTYPE, linkname="/etc"), END],
    "a link named as the content": [FIRST, odd(tarfile.SYMTYPE, sha256(CONTENT)), END],
    "a hard link": [FIRST, odd(tarfile.LNKTYPE, linkname="../x"), END],
    "a device": [FIRST, odd(tarfile.CHRTYPE), END],
    "a FIFO": [FIRST, odd(tarfile.FIFOTYPE), END],
    "a directory": [FIRST, odd(tarfile.DIRTYPE), END],
    "a sparse file": [FIRST, odd(tarfile.GNUTYPE_SPARSE), END],
    "an extended header": [FIRST, odd(tarfile.REGTYPE, "x" * 300), END],
    "more after the end": [FIRST, GOOD, END, GOOD],
    "zeroes without end": [FIRST, GOOD, END, *[bytes(65536)] * 3],
}


@pytest.mark.parametrize("pieces", ARCHIVES.values(), ids=ARCHIVES)
async def test_archives_that_are_not_what_was_asked_for_are_refused(refusal, pieces):
    """Another byte, another member, another kind, or one too many."""
    error = await refusal(Hostile([*WANTED, count(WANTED)], pieces))
    assert error.code == "upstream_failed"


async def test_a_large_content_of_another_hash_is_refused_as_it_arrives(refusal):
    """Not only once it is half in its place: large ones are not read again before."""
    size = 2 * 1024 * 1024
    lines = [told("x", size=size, sha256=sha256(bytes(size)))]
    pieces = [manifest(lines), member(sha256(bytes(size)), b"x" * size), END]
    assert (await refusal(Hostile([*lines, count(lines)], pieces))).code == "upstream_failed"


async def test_ten_gibibytes_of_zeroes_are_refused_by_the_size_that_was_told(refusal):
    """Nothing of them is read."""
    pieces = [FIRST, header_of(sha256(CONTENT), 8**11 - 1), *[bytes(65536)] * 1000]
    hostile = Hostile([*WANTED, count(WANTED)], pieces)
    await refusal(hostile)
    assert hostile.yielded < 10


async def test_the_honest_archive_of_these_tests_is_taken(tmp_path):
    """The refusals above are of what was changed in it."""
    honest = Hostile([*WANTED, count(WANTED)], [FIRST, GOOD, END])
    place = Place(tmp_path, BASE, archives=honest)
    await place.pull()
    assert tree(place.directory)["x"] == (CONTENT, False)
