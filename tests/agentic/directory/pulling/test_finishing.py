"""Pulls that have begun and cannot go on: what is told then."""

import errno
import os
from contextlib import contextmanager

import pytest

from agentic.directory.diffing import diff
from agentic.directory.pull import pull
from agentic.directory.push import push
from agentic.directory.status import status
from common.errors import AgenticError
from tests.agentic.directory.fakes import SESSION
from tests.agentic.directory.pulling.forbidden import modes_binding
from tests.agentic.directory.pulling.places import Place, tree, write

BASE = {"a": b"old\n", "f": b"old\n", "gone": b"old\n", "shut/b": b"old\n", "z": b"old\n"}
OPEN, SHUT = 0o755, 0o555
"""Modes of the directory `shut`: everybody can write there, or nobody."""


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
