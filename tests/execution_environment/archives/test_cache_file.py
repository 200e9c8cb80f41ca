"""A cache that may be lost: nothing that befalls its file is an error, and it works again after."""

import sqlite3
from contextlib import closing

import pytest

from execution_environment.archives import cache_file
from execution_environment.archives.cache_file import CacheFile, remove

TABLE = "CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB)"
ALL = "SELECT k, v FROM t ORDER BY k"
PUT = "INSERT OR REPLACE INTO t VALUES (?, ?)"


@pytest.fixture
def path(tmp_path):
    """Where the cache lies."""
    return tmp_path / "cache.db"


@pytest.fixture
def cache(path):
    """A cache that knows one thing."""
    with closing(CacheFile(path, TABLE)) as cache:
        cache.write(PUT, [(1, b"one")])
        yield cache


def works(cache) -> bool:
    """Tell whether a cache keeps what it is given."""
    cache.write(PUT, [(5, b"five")])
    return (5, b"five") in cache.rows(ALL, ())


def test_a_cache_is_there_again_in_the_next_process(cache, path):
    """It is a file."""
    with closing(CacheFile(path, TABLE)) as other:
        assert other.rows(ALL, ()) == [(1, b"one")]


def test_a_cache_is_made_by_the_first_that_is_kept(path):
    """Who only asks makes nothing."""
    with closing(CacheFile(path, TABLE)) as cache:
        assert cache.rows(ALL, ()) == []
        assert not path.exists()
        assert works(cache)


def test_a_cache_whose_file_is_removed_is_begun_anew(cache, path):
    """Also by another process, which then shares the new one."""
    remove(path)
    assert cache.rows(ALL, ()) == []
    assert works(cache)
    with closing(CacheFile(path, TABLE)) as other:
        assert other.rows(ALL, ()) == [(5, b"five")]


@pytest.mark.parametrize(
    "content", [b"", b"no database", b"\0" * 8192], ids=["empty", "text", "zeroes"]
)
def test_a_cache_whose_file_is_overwritten_is_begun_anew(cache, path, content):
    """While it is open, and before it is opened."""
    path.write_bytes(content)
    cache.rows(ALL, ())
    assert works(cache)
    cache.close()
    path.write_bytes(content)
    assert works(cache)


def test_a_cache_of_another_program_is_begun_anew(path):
    """Its tables are others."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t (something TEXT)")
        other.commit()
    with closing(CacheFile(path, TABLE)) as cache:
        assert cache.rows(ALL, ()) == []
        assert works(cache)


def test_a_cache_that_cannot_be_written_is_done_without_and_tried_again_later(tmp_path):
    """Its directory is missing, as on a disk that is full or read-only nothing can be made."""
    place = tmp_path / "missing"
    with closing(CacheFile(place / "cache.db", TABLE)) as cache:
        assert not works(cache)
        place.mkdir()
        assert not works(cache), "it was not left alone"
        cache._rests_until = 0.0  # as after a while
        assert works(cache)


def test_a_cache_in_whose_place_a_directory_lies_is_done_without(path):
    """Nothing of it is removed."""
    path.mkdir()
    with closing(CacheFile(path, TABLE)) as cache:
        assert not works(cache)
    assert path.is_dir()


def test_a_cache_that_is_full_is_begun_anew(path, monkeypatch):
    """The same error as on a full disk, to which it gives back what it had."""
    monkeypatch.setattr(cache_file, "MAX_PAGES", 8)
    monkeypatch.setattr(cache_file, "REST", 0.0)
    with closing(CacheFile(path, TABLE)) as cache:
        cache.write(PUT, [(1, b"one")])
        cache.write(PUT, [(n, bytes(1000)) for n in range(100)])
        assert cache.rows(ALL, ()) == []
        assert works(cache)


def test_a_cache_that_another_process_is_busy_with_is_done_without_and_stays(
    cache, path, monkeypatch
):
    """Nobody waits for it, and nothing is wrong with it."""
    monkeypatch.setattr(cache_file, "BUSY_TIMEOUT", 0.01)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as busy,
        closing(CacheFile(path, TABLE)) as other,
    ):
        assert other.rows(ALL, ()) == [(1, b"one")]
        busy.execute("BEGIN EXCLUSIVE")
        assert not works(other)
        busy.execute("ROLLBACK")
        assert works(other)
        assert other.rows(ALL, ()) == [(1, b"one"), (5, b"five")]
