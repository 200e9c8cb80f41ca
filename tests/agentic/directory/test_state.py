"""What the client remembers: each directory's own, held by one command, and never a traceback."""

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentic.directory.kept.locking import held
from agentic.directory.kept.naming import normal_url
from agentic.directory.kept.sealed import write_sealed
from agentic.directory.root import Root
from agentic.directory.state import (
    VARIABLE,
    LocalFile,
    Stamp,
    opened_state,
    state_directory,
)
from common.errors import AgenticError

FILE = LocalFile("0" * 64, 7, True)


@contextmanager
def no_room():
    """No file can grow: as a full disk, it ends the first write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def visit(directory, server="http://server", key="key", **changes):
    """Open the state, change it, and return it as it is then."""
    with Root(directory) as root:
        async with opened_state(root, server, key) as state:
            if changes:
                state.update(**changes)
            return state


async def test_what_is_remembered_is_there_for_the_next_command(directory, state_directory):
    """Sessions, bases and hashes outlive the command."""
    stamps = {"a": Stamp(1, 2, 3, 4, "0" * 64)}
    state = await visit(
        directory, workspace="w", session_id="s", generation="g", base={"a": FILE},
        pending={"b": None},
    )  # fmt: skip
    state.save_stamps(stamps)
    again = await visit(directory)
    assert again.known == state.known
    assert again.known.base == {"a": FILE}
    assert isinstance(again.known.base["a"], LocalFile)
    assert (again.stamps, again.notes) == (stamps, [])


@pytest.mark.parametrize(
    "other", [{"server": "http://other"}, {"server": "http://server/x"}, {"key": "other"}, {"key": None}],
    ids=["server", "path", "user", "nobody"],
)  # fmt: skip
async def test_another_server_or_user_has_another_memory(directory, state_directory, other):
    """A workspace is a server's and a user's."""
    await visit(directory, workspace="w")
    assert (await visit(directory, **other)).known.workspace is None


@pytest.mark.parametrize(
    "url", ["http://server/", "HTTP://SERVER", "http://server:80", "http://Server:80//"], ids=ascii
)
async def test_a_server_is_the_same_however_its_url_is_written(directory, state_directory, url):
    """A slash too many is no new server."""
    await visit(directory, workspace="w")
    assert (await visit(directory, server=url)).known.workspace == "w"
    assert normal_url("https://[::1]:8000/a/") == "https://[::1]:8000/a"


async def test_a_directory_that_was_made_again_or_moved_is_another(
    directory, state_directory, tmp_path
):
    """Its files are not those that were pushed."""
    await visit(directory, workspace="w")
    directory.rename(tmp_path / "moved")
    assert (await visit(tmp_path / "moved")).known.workspace is None
    directory.mkdir()
    assert (await visit(directory)).known.workspace is None


async def test_a_directory_is_remembered_whatever_bytes_its_name_has(state_directory, tmp_path):
    """A name is bytes: what is no UTF-8 is a directory like any other, and not the one beside it."""
    odd, other = (
        Path(os.fsdecode(os.fsencode(tmp_path / "odd") + end)) for end in (b"\xff", b"\xfe")
    )
    for made in (odd, other):
        made.mkdir()
    await visit(odd, workspace="w", base={"a": FILE})
    again = await visit(odd)
    assert (again.known.workspace, again.known.base, again.notes) == ("w", {"a": FILE}, [])
    assert (await visit(other)).known.workspace is None


async def test_a_directory_is_the_same_through_a_link(directory, state_directory, tmp_path):
    """Both names mean it."""
    await visit(directory, workspace="w")
    (tmp_path / "alias").symlink_to(directory)
    assert (await visit(tmp_path / "alias")).known.workspace == "w"


async def test_the_state_is_the_users_alone_and_has_no_key(directory, state_directory):
    """A base names private files, and a key opens the server."""
    await visit(directory, key="very-secret", workspace="w")
    assert stat.S_IMODE(state_directory.stat().st_mode) == 0o700
    [place] = state_directory.iterdir()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    files = [path for path in place.rglob("*") if path.is_file()]
    assert files
    assert not any(b"very-secret" in path.read_bytes() for path in files)
    assert "very-secret" not in str(files)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("name", ["known.json", "stamps.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\0" * 100, b"0" * 64 + b"\n{}"],
    ids=["empty", "garbage", "zeroes", "wrong seal"],
)
async def test_damaged_state_is_passed_over_with_a_note(directory, state_directory, name, content):
    """Then nothing is known; what differs is a conflict, not a traceback and not a deletion."""
    state = await visit(directory, base={"a": FILE})
    state.save_stamps({"a": Stamp(1, 2, 3, 4, "0" * 64)})
    (state.place / name).write_bytes(content)
    again = await visit(directory)
    assert again.known.base == ({} if name == "known.json" else {"a": FILE})
    assert again.stamps == ({} if name == "stamps.json" else state.stamps)
    [note] = again.notes
    assert f"{name} is damaged" in note
    assert ("--workspace NAME" in note) == (name == "known.json")
    await visit(directory, workspace="w")
    assert (await visit(directory)).known.workspace == "w"


@pytest.mark.parametrize(
    "content",
    [b"[]", b'{"format": 2, "server": "http://server", "directory": "x"}', b"\xff",
     b'{"server": "http://server", "directory": "/elsewhere", "workspace": "theirs"}',
     b'{"server": "http://server", "directory": "x", "base": {"a": ["short", -1, 2]}}'],
    ids=["list", "newer", "not text", "another's", "wrong base"],
)  # fmt: skip
async def test_foreign_state_is_passed_over_with_a_note(directory, state_directory, content):
    """Whole, but not what this client has written of this directory."""
    state = await visit(directory, workspace="w")
    write_sealed(state.place / "known.json", content)
    again = await visit(directory)
    assert (again.known.workspace, len(again.notes)) == (None, 1)


async def test_state_of_a_newer_version_is_told_as_that(directory, state_directory):
    """Nothing is wrong with it: who goes back to the newer one has no disk to look after."""
    state = await visit(directory, workspace="w")
    newer = b'{"format": 2, "server": "http://server", "workspace": {"name": "w"}}'
    write_sealed(state.place / "known.json", newer)
    [note] = (await visit(directory)).notes
    assert "known.json was written by a newer agentic" in note
    assert "--workspace NAME takes the one there was" in note


async def test_what_cannot_be_swept_out_of_a_state_is_named(directory, state_directory):
    """In a sentence, and not in a traceback."""
    odd = (await visit(directory)).place / "odd.tmp"
    odd.mkdir()
    with pytest.raises(AgenticError, match=r"odd\.tmp"):
        await visit(directory)


async def test_two_commands_in_one_directory_do_not_interleave(directory, state_directory):
    """The second waits, and says for whom when it has waited long enough."""
    with Root(directory) as root:
        async with opened_state(root, "http://server", "key"):
            with pytest.raises(AgenticError) as caught:
                async with opened_state(root, "http://server", "key", patience=0.01):
                    pass
            assert caught.value.code == "invalid_state"
            assert f"process {os.getpid()}" in caught.value.detail
            waiting = asyncio.create_task(visit(directory, workspace="second"))
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting


@pytest.mark.parametrize(
    "other", [{"server": "http://localhost:8000"}, {"key": "other"}], ids=["server", "user"]
)
async def test_commands_in_one_directory_do_not_interleave_whatever_server_they_name(
    directory, state_directory, other
):
    """One server has many names, and two pulls at once would change the same files."""
    how = {"server": "http://127.0.0.1:8000", "key": "key", **other}
    with Root(directory) as root, Root(directory) as again:
        async with opened_state(root, "http://127.0.0.1:8000", "key"):
            with pytest.raises(AgenticError, match="Another command works on this directory"):
                async with opened_state(again, how["server"], how["key"], patience=0.01):
                    pass
            waiting = asyncio.create_task(visit(directory, **how, workspace="second"))
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting


async def test_a_directory_on_a_disk_without_locks_can_be_used(tmp_path):
    """NFS says so of what is open for reading only: its state's lock has to do."""
    never_opened = 1_000_000
    async with held(tmp_path / "lock", never_opened, 0.0):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("obstacle", ["file", "below a file"])
async def test_a_state_directory_that_cannot_be_used_is_named(
    directory, tmp_path, monkeypatch, obstacle
):
    """In a sentence, with the path."""
    place = tmp_path / "file"
    place.write_text("")
    where = place if obstacle == "file" else place / "below"
    monkeypatch.setenv(VARIABLE, str(where))
    with pytest.raises(AgenticError) as caught:
        await visit(directory)
    assert str(where) in caught.value.detail
    assert caught.value.source == "client"


async def test_a_lock_that_cannot_be_written_is_named(directory, state_directory):
    """On a full disk it is the first thing that fails, and its path says which disk is meant."""
    with no_room(), pytest.raises(AgenticError) as caught:
        await visit(directory)
    [place] = state_directory.iterdir()
    assert str(place / "lock") in caught.value.detail
    (place / "lock").unlink()
    (place / "lock").symlink_to(os.devnull)
    with pytest.raises(AgenticError, match=str(place / "lock")):
        await visit(directory)


def test_the_state_lies_in_the_users_own_place(monkeypatch, tmp_path):
    """Never in the directory itself."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in state_directory().parents


_WRITER = """
import asyncio, sys
from pathlib import Path
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, opened_state

async def main():
    with Root(Path(sys.argv[1])) as root:
        async with opened_state(root, "http://server", "key") as state:
            number = 0
            while True:
                number += 1
                base = {str(i): LocalFile("0" * 64, number, False) for i in range(2000)}
                state.update(base=base, generation=str(number))
                print(number, flush=True)

asyncio.run(main())
"""


async def test_state_survives_a_kill_in_the_midst_of_writing(directory, state_directory):
    """It is old or new as a whole, the lock is free, and what was begun is no obstacle."""
    for _ in range(3):
        command = [sys.executable, "-c", _WRITER, str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for _ in range(5):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        state = await visit(directory)
        assert state.notes == []
        assert int(state.known.generation) >= 5
        assert {file.size for file in state.known.base.values()} == {int(state.known.generation)}
        assert list(state.place.glob("*.tmp")) == []
