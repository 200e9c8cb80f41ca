"""Pulls that have begun and cannot go on: what is told then, and how they are given up."""

import errno
import os
from contextlib import contextmanager

import pytest

from agentic.directory.diffing import diff
from agentic.directory.pull import pull
from agentic.directory.pulling.finishing import give_up
from agentic.directory.push import push
from agentic.directory.status import status
from common.errors import AgenticError
from tests.agentic.directory.fakes import SESSION
from tests.agentic.directory.pulling.forbidden import modes_binding
from tests.agentic.directory.pulling.places import Place, a_file, tree, write

BASE = {"a": b"old\n", "f": b"old\n", "gone": b"old\n", "shut/b": b"old\n", "z": b"old\n"}
DONE, LEFT = ["gone", "f", "a", "f/y"], ["shut/b", "z"]
OPEN, SHUT, DARK = 0o755, 0o555, 0
"""Modes of the directory `shut`: nobody can write there, or read either."""


@pytest.fixture
def place(tmp_path):
    """A pull that deletes, puts a directory in a file's place, and comes to a file it cannot replace."""
    place = Place(tmp_path, BASE)
    del place.remote.files["gone"], place.remote.files["f"]
    for path in ("a", "f/y", "shut/b", "z"):
        place.remote.write(path, b"new\n")
    return place


@contextmanager
def opened(place, mode):
    """Open the directory and what is remembered of it, as a command finds both."""
    (place.directory / "shut").chmod(mode)
    try:
        with modes_binding(), place.state() as (root, state):
            yield root, state
    finally:
        (place.directory / "shut").chmod(OPEN)


async def run(place, command=pull, mode=SHUT, **more):
    """Run a command, while `shut` has that mode."""
    with opened(place, mode) as (root, state):
        return await command(place.client, SESSION, root, state, **more)


async def refused(place, command=pull, **more):
    """Return the error that a command ends with."""
    with pytest.raises(AgenticError) as caught:
        await run(place, command, **more)
    return caught.value


async def test_a_pull_that_cannot_go_on_is_told_as_one_that_has_begun(place):
    """Some files are the workspace's by then: nobody may say that nothing was done."""
    error = await refused(place)
    assert tree(place.directory)["a"] == (b"new\n", False)
    assert (error.code, error.outcome, error.source) == ("permission_denied", "unknown", "client")
    assert (error.context.path, error.context.errno) == ("shut/b", "EACCES")
    assert error.detail.startswith("The pull has begun, and cannot go on: 'shut/b' cannot be used")
    assert "attributes. After that any command here goes on with it" in error.hint
    assert "agentic pull --give-up" in error.hint


@pytest.mark.parametrize("command", [pull, push, status, diff])
async def test_what_stands_in_the_way_of_an_earlier_pull_is_told_as_that(place, command):
    """Who asks for the status has not asked for that file, and would not know why it matters."""
    await refused(place)
    error = await refused(place, command)
    assert error.outcome == "unknown"
    assert error.detail.startswith(
        "An earlier pull is to be finished first, and cannot go on: 'shut/b' "
    )
    await run(place, command, mode=OPEN)
    assert tree(place.directory) == place.workspace()


async def test_what_the_system_refuses_in_the_midst_of_a_pull_is_told_with_the_file(place):
    """Not every call names one: the mode of what is open already does not."""

    def refuse(moment, path):
        if (moment, path) == ("staged", "z"):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    error = await refused(place, mode=OPEN, observe=refuse)
    assert (error.context.path, error.outcome) == ("z", "unknown")


async def test_a_pull_that_an_edit_has_stopped_is_not_told_as_one_that_did_nothing(place):
    """What came before that file is here."""

    def edit(moment, path):
        if (moment, path) == ("staged", "z"):
            write(place.directory, path, b"mine\n")

    error = await refused(place, mode=OPEN, observe=edit)
    assert (error.code, error.outcome) == ("changed_elsewhere", "unknown")
    place.remote.write("z", b"newer\n")
    assert (await refused(place, mode=OPEN)).outcome == "not_executed"


async def given_up(place, mode=SHUT):
    """Give up what is to be finished there; return the paths that were done, and those left."""
    with opened(place, mode) as (root, state):
        ended = await give_up(root, state)
    return [step.path for step in ended.done], [step.path for step in ended.left]


async def test_a_pull_that_is_given_up_stays_as_far_as_it_came(place):
    """What is here is what both have; the rest is as it was, and blocks no command any more."""
    await refused(place)
    before = tree(place.directory)
    assert await given_up(place) == (DONE, LEFT)
    assert before == {**place.workspace(), **dict.fromkeys(LEFT, (b"old\n", False))}
    assert tree(place.directory) == before
    assert place.base() == {path: a_file(content) for path, (content, _) in before.items()}
    assert sorted(path.name for path in place.kept.iterdir()) == ["blobs", "known.json"]
    assert (await run(place, push)).sent == []
    assert [one.path for one in (await run(place, status)).to_pull] == LEFT


async def test_what_was_left_is_asked_for_anew(place):
    """The workspace has gone on: what was fetched is not what it has now."""
    await refused(place)
    await given_up(place)
    for path in ("a", "z"):
        place.remote.write(path, b"newer\n")
    place.remote.write("shut/b", BASE["shut/b"])
    await run(place)
    assert tree(place.directory) == place.workspace()


async def test_what_was_edited_before_the_pull_was_given_up_is_no_part_of_it(place):
    """It is asked about as any other edit."""
    await refused(place)
    write(place.directory, "a", b"mine\n")
    assert await given_up(place) == (DONE[:2], [*DONE[2:], *LEFT])
    error = await refused(place, mode=OPEN)
    assert error.context.conflicts == [{"path": "a", "kind": "both_changed"}]


async def test_what_cannot_be_looked_at_is_left(place):
    """A directory that lets nobody in must not keep a pull from being given up."""
    await refused(place)
    assert (await refused(place, status, mode=DARK)).code == "permission_denied"
    assert await given_up(place, mode=DARK) == (DONE, LEFT)
    assert place.base()["shut/b"] == a_file(b"old\n")


async def test_a_file_that_was_incomplete_goes_when_the_pull_is_given_up(place):
    """Where it lies beside one that nobody can write, it stays, and is never sent."""
    await refused(place)
    for above in ("", "shut/"):
        write(place.directory, f"{above}.agentic-{'0' * 16}.tmp", b"half")
    await given_up(place)
    assert {f"shut/.agentic-{'0' * 16}.tmp", "a", "f/y", *LEFT} == set(tree(place.directory))


async def test_where_nothing_is_to_be_finished_nothing_is_given_up(place):
    """It is no error: a script may ask for it."""
    assert await given_up(place) == ([], [])
    await run(place, mode=OPEN)
    assert await given_up(place) == ([], [])
