"""Surveys: every file with the hash of what it holds, whatever happens to it meanwhile."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.errors import AgenticError
from execution_environment.archives.hash_cache import HashCache, state_of
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.syscalls import birth_of
from tests.execution_environment.conftest import call_limits, sha

NOT_READ = "0" * 64


def found_by(survey, **how):
    """Return what a survey finds: kinds and hashes by path."""
    walked = survey.walk(**how)
    return {b"/".join(item.parts).decode(): (item.kind, item.sha256) for item in walked}


def pretend(hashes, path):
    """Have the cache tell a made-up hash of a file: a survey that tells it has not read the file."""
    state = state_of(path.lstat(), birth_of(-100, os.fsencode(path)))
    hashes.note_all("local/demo", [(state, NOT_READ)])


@dataclass(frozen=True)
class Meddling(CallLimits):
    """Limits of a call during which others are at work: something happens with each chunk."""

    happens: list[Callable[[], None]] = field(default_factory=list)

    def check_deadline(self):
        """Let the next thing happen."""
        if self.happens:
            self.happens.pop(0)()
        super().check_deadline()


def meddled(root, hashes, *happens):
    """Return a survey of a workspace that others work in."""
    limits = call_limits()
    return Survey(
        root,
        Meddling(limits.max_read, limits.max_write, limits.deadline, happens=[*happens]),
        hashes,
    )


def test_a_survey_finds_every_entry_and_hashes_the_files(survey, demo):
    """Names may be any bytes; what is no file has no hash."""
    (demo / "a" / "b").mkdir(parents=True)
    (demo / "a" / "b" / "f").write_bytes(b"1")
    (demo / "empty").write_bytes(b"")
    os.symlink("a", demo / "link")
    os.mkfifo(demo / "pipe")
    Path(os.fsdecode(os.fsencode(demo) + b"/\xff")).write_bytes(b"2")
    found = {item.parts: (item.kind, item.sha256) for item in survey().walk()}
    assert found == {
        (b"a",): ("directory", None),
        (b"a", b"b"): ("directory", None),
        (b"a", b"b", b"f"): ("file", sha(b"1")),
        (b"empty",): ("file", sha(b"")),
        (b"link",): ("symlink", None),
        (b"pipe",): ("other", None),
        (b"\xff",): ("file", sha(b"2")),
    }


def test_a_survey_reads_no_file_that_the_cache_knows(survey, demo, hashes):
    """So an unchanged tree costs a look at each file; a file that was written is read."""
    for name in ("same", "written", "replaced"):
        (demo / name).write_bytes(b"old")
    found_by(survey())
    pretend(hashes, demo / "same")
    pretend(hashes, demo / "written")
    pretend(hashes, demo / "replaced")
    (demo / "written").write_bytes(b"new")
    (demo / "other").write_bytes(b"old")
    (demo / "other").rename(demo / "replaced")
    assert found_by(survey()) == {
        "same": ("file", NOT_READ),
        "written": ("file", sha(b"new")),
        "replaced": ("file", sha(b"old")),
    }


def test_a_survey_notes_what_it_has_read(survey, demo, hashes):
    """The next one knows it."""
    (demo / "f").write_bytes(b"1")
    found_by(survey())
    status, birth = (demo / "f").stat(), birth_of(-100, os.fsencode(demo / "f"))
    assert hashes.find("local/demo", status, birth) == sha(b"1")


def test_a_survey_of_files_that_were_written_just_now_is_right_and_notes_nothing(root, demo):
    """The margin is the cache's: a survey tells the truth at any time."""
    (demo / "f").write_bytes(b"1")
    with closing(HashCache(demo.parents[2] / "safe.db")) as hashes:
        assert found_by(Survey(root, call_limits(), hashes)) == {"f": ("file", sha(b"1"))}
        status, birth = (demo / "f").stat(), birth_of(-100, os.fsencode(demo / "f"))
        assert hashes.find("local/demo", status, birth) is None


def test_a_survey_of_the_whole_forgets_the_files_that_are_gone(survey, demo, hashes):
    """One of a part does not: it has not looked elsewhere."""
    (demo / "part").mkdir()
    (demo / "gone").write_bytes(b"1")
    found_by(survey())
    status, birth = (demo / "gone").stat(), birth_of(-100, os.fsencode(demo / "gone"))
    (demo / "gone").rename(demo.parent / "kept")  # its inode stays what it is
    found_by(survey(), start=(b"part",))
    assert hashes.find("local/demo", status, birth) == sha(b"1")
    found_by(survey())
    assert hashes.find("local/demo", status, birth) is None


def test_a_survey_hashes_only_what_is_wanted_of_what_the_cache_does_not_know(survey, demo, hashes):
    """Who looks for certain contents reads no file of another size."""
    (demo / "known").write_bytes(b"1")
    found_by(survey())
    (demo / "small").write_bytes(b"2")
    (demo / "large").write_bytes(b"333")
    found = found_by(survey(), is_wanted=lambda status: status.st_size == 3)
    assert found == {
        "known": ("file", sha(b"1")),
        "small": ("file", None),
        "large": ("file", sha(b"333")),
    }


def test_a_workspace_that_is_not_made_yet_is_empty_to_a_survey(survey, demo):
    """A part of it that is not there is an error."""
    demo.rmdir()
    assert found_by(survey()) == {}
    with pytest.raises(AgenticError) as caught:
        found_by(survey(), start=(b"x",))
    assert caught.value.code == "path_not_found"


def test_a_survey_passes_over_what_vanishes(survey, demo):
    """A directory that was listed, and the file after the next."""
    for number in range(3):
        (demo / f"d{number}").mkdir()
        (demo / f"d{number}" / "f").write_bytes(b"1")
    walk = survey().walk()
    first = [next(walk) for _ in range(3)]
    assert {item.kind for item in first} == {"directory"}
    (demo / "d1" / "f").unlink()
    (demo / "d1").rmdir()
    (demo / "d2" / "f").unlink()
    assert [b"/".join(item.parts) for item in walk] == [b"d0/f"]


@pytest.mark.parametrize("what", ["nothing", "link", "fifo", "directory"])
def test_a_survey_tells_what_has_come_in_place_of_a_file_it_was_about_to_read(
    root, hashes, demo, outside, what
):
    """It never follows a link, waits for nobody who writes to a FIFO, and hashes no other file."""
    (demo / "f").write_bytes(b"1")

    def replace():
        (demo / "f").unlink()
        if what == "link":
            os.symlink(outside / "canary.txt", demo / "f")
        elif what == "fifo":
            os.mkfifo(demo / "f")
        elif what == "directory":
            (demo / "f").mkdir()

    kinds = {"link": "symlink", "fifo": "other", "directory": "directory"}
    listed, looked = lambda: None, replace  # the directory's first entry; then the file itself
    found = found_by(meddled(root, hashes, listed, looked))
    assert found == ({} if what == "nothing" else {"f": (kinds[what], None)})


def test_a_survey_does_not_follow_a_link_that_has_come_in_place_of_a_directory(
    survey, demo, outside
):
    """The directory was listed before; each is opened anew from the root."""
    (demo / "d").mkdir()
    (demo / "d" / "f").write_bytes(b"1")
    walk = survey().walk()
    assert next(walk).kind == "directory"
    (demo / "d" / "f").unlink()
    (demo / "d").rmdir()
    os.symlink(outside, demo / "d")
    assert list(walk) == []


def test_a_file_that_changes_while_it_is_hashed_is_hashed_again(root, hashes, demo):
    """What it told before is a mixture."""
    (demo / "f").write_bytes(b"1" * 1_000_000)

    def write():
        with (demo / "f").open("r+b") as file:
            file.write(b"2")  # where it has been read already

    nothing = [lambda: None] * 5
    found = found_by(meddled(root, hashes, *nothing, write))
    assert found == {"f": ("file", sha(b"2" + b"1" * 999_999))}


def test_a_file_that_is_written_all_the_time_is_told_to_be_so(root, hashes, demo):
    """After a few tries; asked again, it may have come to rest."""
    (demo / "f").write_bytes(b"1")

    def append():
        with (demo / "f").open("ab") as file:
            file.write(b"2")

    with pytest.raises(AgenticError) as caught:
        found_by(meddled(root, hashes, *[append] * 100))
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    assert "'f'" in caught.value.detail


def test_a_survey_ends_at_the_deadline_of_its_call(survey, demo):
    """It also looks at the clock within a file."""
    (demo / "f").write_bytes(b"1")
    with pytest.raises(AgenticError) as caught:
        found_by(survey(deadline=time.monotonic()))
    assert caught.value.code == "deadline_exceeded"


def test_a_survey_looks_at_single_paths(survey, demo):
    """A file with its hash, a link itself, nothing where there is nothing."""
    (demo / "d").mkdir()
    (demo / "d" / "f").write_bytes(b"1")
    os.symlink("d", demo / "link")

    def look(path):
        found = survey().look(tuple(path.encode().split(b"/")))
        return found and (found.kind, found.sha256)

    assert look("d/f") == ("file", sha(b"1"))
    assert look("d") == ("directory", None)
    assert look("link") == ("symlink", None)
    nowhere = ("x", "d/x", "x/y", "d/f/x", "link/f", "link/e/f")
    assert [look(path) for path in nowhere] == [None] * len(nowhere)


def test_surveys_leave_no_descriptor_open(survey, demo, open_descriptors):
    """Whether they come to their end or not."""
    (demo / "d").mkdir()
    (demo / "d" / "f").write_bytes(b"1")
    found_by(survey())
    before = open_descriptors()
    found_by(survey())
    walk = survey().walk()
    next(walk)
    walk.close()
    assert open_descriptors() == before


def test_a_file_that_is_rewritten_during_surveys_is_never_told_with_a_hash_it_never_had(
    root, demo, data_dir
):
    """In place and in pieces, so that one can be read between two; and at the end it is the last."""
    size = 400_000
    whole = [bytes([letter]) * size for letter in b"abc"]
    (demo / "f").write_bytes(whole[0])
    halves = {left[: size // 2] + right[size // 2 :] for left in whole for right in whole}
    possible, stop, told = {sha(content) for content in halves}, threading.Event(), set()

    def write():
        with (demo / "f").open("r+b", buffering=0) as file:
            for turn in range(10**9):
                for part in (0, size // 2):
                    os.pwrite(file.fileno(), whole[turn % 3][: size // 2], part)
                if stop.wait(0.03 * (turn % 4)):
                    return

    with closing(HashCache(data_dir / "safe.db")) as hashes:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(15):
                told |= _told(Survey(root, call_limits(), hashes))
        finally:
            stop.set()
            writer.join()
        assert told
        assert told <= possible
        assert _told(Survey(root, call_limits(), hashes)) == {sha((demo / "f").read_bytes())}


def _told(survey):
    """Return the hashes that a survey tells; a file may be written all the time."""
    try:
        return {item.sha256 for item in survey.walk()}
    except AgenticError as error:
        assert error.code == "unavailable"
        return set()
