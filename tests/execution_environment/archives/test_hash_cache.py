"""The hash cache: what it tells is true of the very state that a file is in, whatever befalls it."""

import hashlib
import os
import threading
from contextlib import closing
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, find, given, settings, strategies as st
from hypothesis.errors import NoSuchExample

from common.files.paths import parse
from execution_environment.archives.hash_cache import BATCH, HashCache, moved, state_of
from execution_environment.workspace.streams import Written

WORKSPACE = "ann/demo"
SECOND = 10**9
NOW = 1_800_000_000 * SECOND
BIRTH = NOW - 3600 * SECOND
A, B = (hashlib.sha256(content).hexdigest() for content in (b"a", b"b"))


def status(inode=7, size=1, modified=NOW - 60 * SECOND, changed=NOW - 60 * SECOND):
    """Return a file's status, as far as it matters here; times in nanoseconds."""
    return SimpleNamespace(st_ino=inode, st_size=size, st_mtime_ns=modified, st_ctime_ns=changed)


@pytest.fixture
def cache(tmp_path):
    """A cache with the margin that the service has."""
    with closing(HashCache(tmp_path / "hashes.db")) as cache:
        yield cache


def note(cache, seen, sha256=A, since=NOW, birth=BIRTH):
    """Have the cache know a file that nobody touched."""
    cache.note(WORKSPACE, seen, seen, birth, sha256, since)


def note_moved(cache, staged, placed):
    """Have the cache know a file that was put in its place by a rename, if that can be told."""
    written = Written(staged.st_ino, staged.st_size, staged.st_mtime_ns)
    state = moved(written, placed, BIRTH)
    cache.note_all(WORKSPACE, [] if state is None else [(state, A)])


def test_a_cache_tells_the_hash_of_a_file_that_is_as_it_was_read(cache):
    """So an unchanged tree is not read again."""
    note(cache, status())
    assert cache.find(WORKSPACE, status(), BIRTH) == A


@pytest.mark.parametrize(
    "changed",
    [
        {"inode": 8},
        {"size": 2},
        {"modified": NOW - 59 * SECOND},
        {"changed": NOW - 59 * SECOND},
        {"modified": NOW - 60 * SECOND + 1},
    ],
)
def test_a_cache_tells_nothing_of_a_file_in_another_state(cache, changed):
    """Each of them alone shows that it is another file, or was written."""
    note(cache, status())
    assert cache.find(WORKSPACE, status(**changed), BIRTH) is None


def test_a_cache_tells_nothing_of_another_file_with_the_same_inode_or_of_another_workspace(cache):
    """Inodes are used again; and what one workspace holds is no answer to who asks about another."""
    note(cache, status())
    assert cache.find(WORKSPACE, status(), BIRTH + 1) is None
    assert cache.find(WORKSPACE, status(), None) is None
    assert cache.find("bob/demo", status(), BIRTH) is None


@pytest.mark.parametrize("name", ["modified", "changed"])
def test_a_hash_is_kept_only_of_a_file_that_was_left_alone_for_two_seconds(cache, name):
    """Later changes show in its times then, on every file system."""
    young = status(**{name: NOW - 2 * SECOND + 1})
    note(cache, young)
    assert cache.find(WORKSPACE, young, BIRTH) is None
    old = status(**{name: NOW - 2 * SECOND})
    note(cache, old)
    assert cache.find(WORKSPACE, old, BIRTH) == A


def test_the_hash_of_a_file_that_changed_while_it_was_read_is_not_kept(cache):
    """It is of neither of its states."""
    cache.note(WORKSPACE, status(), status(changed=NOW), BIRTH, A, NOW)
    assert cache.find(WORKSPACE, status(), BIRTH) is None
    assert cache.find(WORKSPACE, status(changed=NOW), BIRTH) is None


def test_a_rename_of_our_own_does_not_cost_a_file_its_hash(cache):
    """It changes nothing but the ctime."""
    placed = status(changed=NOW)
    note_moved(cache, status(), placed)
    assert cache.find(WORKSPACE, placed, BIRTH) == A


@pytest.mark.parametrize(
    ("staged", "placed"),
    [
        ({}, {"inode": 8}),
        ({}, {"size": 2}),
        ({}, {"modified": NOW - 59 * SECOND}),
        ({"modified": NOW - SECOND // 50}, {"modified": NOW - SECOND // 50}),
        ({"modified": NOW + SECOND}, {"modified": NOW + SECOND}),
    ],
)
def test_a_renamed_file_that_may_have_been_written_meanwhile_is_read_again(cache, staged, placed):
    """It is another one, or a write right after the rename would leave its times as they are."""
    after = status(changed=NOW, **placed)
    note_moved(cache, status(**staged), after)
    assert cache.find(WORKSPACE, after, BIRTH) is None


def test_a_cache_knows_only_the_last_state_of_a_file(cache, tmp_path):
    """A file that is written a thousand times has one row."""
    for second in range(10):
        note(cache, status(changed=NOW - 60 * SECOND + second))
    assert cache.find(WORKSPACE, status(changed=NOW - 60 * SECOND + 9), BIRTH) == A
    assert cache.find(WORKSPACE, status(), BIRTH) is None


def test_a_cache_is_asked_about_many_files_at_once(cache):
    """More than one statement takes; inodes may be larger than the database's numbers."""
    files = [state_of(status(inode), BIRTH) for inode in (*range(2 * BATCH + 3), 2**63 + 10**6)]
    cache.note_all(WORKSPACE, [(state, A if state.inode % 2 else B) for state in files])
    found = cache.find_all(WORKSPACE, files)
    assert found == [A if state.inode % 2 else B for state in files]


def test_what_is_gone_is_forgotten(cache):
    """The cache does not grow with all the files that ever were."""
    for inode in range(4):
        note(cache, status(inode))
        cache.note("bob/x", status(inode), status(inode), BIRTH, B, NOW)
    cache.keep_only(WORKSPACE, {1, 3, 2**63 + 99})
    known = [cache.find(WORKSPACE, status(inode), BIRTH) for inode in range(4)]
    assert known == [None, A, None, A]
    cache.forget(lambda workspace: workspace == "bob/x")
    assert cache.find("bob/x", status(1), BIRTH) is None
    assert cache.find(WORKSPACE, status(1), BIRTH) == A


def test_caches_of_several_processes_share_what_they_know(cache, tmp_path):
    """Each worker has one over the same file."""
    with closing(HashCache(tmp_path / "hashes.db")) as other:
        note(cache, status())
        assert other.find(WORKSPACE, status(), BIRTH) == A


def test_threads_take_turns_with_a_cache(cache):
    """All calls of a process have one."""
    wrong = []

    def work(start):
        for inode in range(start, start + 40):
            note(cache, status(inode))
            if cache.find(WORKSPACE, status(inode), BIRTH) != A:
                wrong.append(inode)

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_workspace_whose_name_is_damaged_is_forgotten(cache):
    """It is none that could be asked for; and the others are still looked at."""

    def is_gone(workspace):
        parse(workspace)
        return False

    note(cache, status())
    for name in ("../etc", "a\0b"):
        cache.note(name, status(), status(), BIRTH, A, NOW)
    cache.forget(is_gone)
    assert cache.find("../etc", status(), BIRTH) is None
    assert cache.find(WORKSPACE, status(), BIRTH) == A


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_cache_tells_nothing_or_the_truth(tmp_path, data):
    """A bit that flipped in a hash would make a file be taken for another; and it goes on."""
    path = tmp_path / "damaged.db"
    files = [status(inode) for inode in range(30)]
    with closing(HashCache(path)) as cache:
        for seen in files:
            note(cache, seen)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with closing(HashCache(path)) as cache:
        told = cache.find_all(WORKSPACE, [state_of(seen, BIRTH) for seen in files])
        assert set(told) <= {None, A}
        cache.keep_only(WORKSPACE, {1})
        cache.forget(lambda workspace: workspace == "bob/x")
        for _ in range(2):  # the first may find what is damaged
            note(cache, files[0])
        assert cache.find(WORKSPACE, files[0], BIRTH) == A
    path.unlink()


@dataclass(frozen=True)
class World:
    """A file on a file system whose clock ticks every 10 ms, and a cache; times in milliseconds."""

    now: int = 10_000
    content: int = 0
    written: int = 0

    def status(self):
        """Return what the file system tells."""
        at = self.written // 10 * 10 * 1_000_000
        return status(size=1, modified=at, changed=at)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([1, 9, 300, 2500])),
        st.tuples(st.just("write"), st.integers(0, 3)),
        st.tuples(st.just("look"), st.integers(0, 3)),
    ),
    max_size=8,
)


def is_true_all_along(steps, cache):
    """Tell whether a cache says the truth at each look, also when a write comes in the midst."""
    world = World()
    for step, value in steps:
        if step == "wait":
            world = replace(world, now=world.now + value)
        elif step == "write":
            world = replace(world, content=value, written=world.now)
        else:
            truth = hashlib.sha256(bytes([world.content])).hexdigest()
            before, since = world.status(), world.now * 1_000_000
            if cache.find(WORKSPACE, before, BIRTH) not in (None, truth):
                return False
            if value != world.content and value:  # written after it was read, before the last look
                world = replace(world, content=value, written=world.now)
            cache.note(WORKSPACE, before, world.status(), BIRTH, truth, since)
    return True


def forgotten(cache):
    """Return the cache with nothing in it."""
    cache.keep_only(WORKSPACE, set())
    return cache


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_file_is_never_told_with_a_hash_that_it_has_no_more(cache, steps):
    """However it is written, at whatever time within a tick of the file system's clock."""
    assert is_true_all_along(steps, forgotten(cache))


def test_a_cache_without_a_margin_tells_an_old_hash(tmp_path):
    """The control: the test above can fail."""
    with closing(HashCache(tmp_path / "rash.db", margin=0)) as rash:
        try:
            find(STEPS, lambda steps: not is_true_all_along(steps, forgotten(rash)))
        except NoSuchExample:
            pytest.fail("no file was told with an old hash")


def test_a_cache_with_a_margin_of_less_than_a_tick_is_told_from_a_safe_one_by_a_rewrite(tmp_path):
    """The shortest such story, by itself: read and noted, then written in the same tick."""
    told = status(modified=NOW, changed=NOW)
    with closing(HashCache(tmp_path / "rash.db", margin=0)) as rash:
        note(rash, told, A)
        assert rash.find(WORKSPACE, told, BIRTH) == A  # though it holds `b` by now
    with closing(HashCache(tmp_path / "safe.db")) as safe:
        note(safe, told, A)
        assert safe.find(WORKSPACE, told, BIRTH) is None


def test_state_of_is_that_of_the_file_system(tmp_path):
    """The names of what tells a file apart are those of its status."""
    path = tmp_path / "f"
    path.write_bytes(b"123")
    os.utime(path, ns=(5, 6))
    found = path.stat()
    state = state_of(found, 4)
    assert state == (found.st_ino, 4, 3, 6, found.st_ctime_ns)
