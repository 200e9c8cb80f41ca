"""A status tells what push and pull would do, and changes nothing."""

import asyncio
import os
from contextlib import suppress

import pytest

from agentic.directory import differences
from common.errors import AgenticError
from common.files.archives import DifferenceCount
from tests.agentic.directory.fakes import difference, sha256
from tests.orchestrator.fakes import until


async def test_a_status_tells_each_sides_changes_and_the_conflicts(person):
    """Everything that a person decides on, and nothing twice."""
    for name in ("same", "edited", "mode", "gone", "theirs", "both", "gone there", "gone both"):
        person.write(name, b"before")
    await person.push()
    person.write("edited", b"edited")
    person.write("new", b"new")
    person.write("mode", b"before", mode=0o755)
    person.write("both", b"here")
    person.write("alike", b"alike")
    for name in ("gone", "gone both"):
        (person.directory / name).unlink()
    person.remote.write("theirs", b"there")
    person.remote.write("both", b"there")
    person.remote.write("alike", b"alike")
    person.remote.write("new there", b"new", is_executable=True)
    for name in ("gone there", "gone both"):
        del person.remote.files[name]
    before = dict(person.remote.files)
    status = await person.status()
    assert [(one.path, one.kind, one.size) for one in status.to_push] == [
        ("edited", "changed", 6), ("gone", "deleted", None), ("mode", "mode", 6), ("new", "new", 3)
    ]  # fmt: skip
    assert [(one.path, one.kind, one.is_executable) for one in status.to_pull] == [
        ("gone there", "deleted", False), ("new there", "new", True), ("theirs", "changed", False)
    ]  # fmt: skip
    [conflict] = status.conflicts
    assert (conflict.path, conflict.current_sha256) == ("both", sha256(b"there"))
    assert (status.same, status.is_clean, status.has_workspace) == (2, False, True)
    assert person.remote.files == before
    assert await person.status() == status


async def test_before_a_first_push_all_is_to_be_sent(person):
    """There is no workspace yet."""
    person.write("a")
    status = await person.status()
    assert [one.path for one in status.to_push] == ["a"]
    assert not status.has_workspace


async def test_after_a_push_a_status_is_clean(person):
    """Nothing is left to do."""
    person.write("a")
    await person.push()
    status = await person.status()
    assert status.is_clean
    assert status.same == 1


async def test_what_a_workspace_has_in_a_git_directory_is_nobodys_business(person):
    """An agent may make one: it is neither pulled nor a reason to push."""
    person.write("a")
    await person.push()
    person.remote.write(".git/hooks/post-checkout", b"#!/bin/sh")
    assert (await person.status()).is_clean


async def test_a_special_in_the_place_of_a_file_is_told(person):
    """Whether it is a conflict depends on what was changed here."""
    person.write("a")
    person.write("b")
    await person.push()
    person.write("b", b"edited")
    for name in ("a", "b"):
        del person.remote.files[name]
        person.remote.others[name] = "other"
    status = await person.status()
    assert [(one.path, one.kind) for one in status.to_pull] == [("a", "deleted")]
    assert [(one.path, one.type) for one in status.conflicts] == [("b", "other")]


def says(person, lines):
    """Have the server answer that to the question what differs."""

    async def diff(_session_id, _manifest):
        for line in lines:
            yield line

    person.remote.diff = diff


def new(path):
    return difference(path, "new", False, remote=(b"", False))


def count(**counts):
    known = {"new": 0, "changed": 0, "gone": 0, "same": 0, "skipped": 0, **counts}
    return DifferenceCount(**known, generation="0" * 16)


@pytest.mark.parametrize("bound", ["MAX_PATHS", "MAX_DIFFERENCES"])
async def test_a_server_that_names_differences_for_ever_comes_to_an_end(person, monkeypatch, bound):
    """990,000 of them took 1.5 GB and a minute."""
    monkeypatch.setattr(differences, bound, {"MAX_PATHS": 1000, "MAX_DIFFERENCES": 10}[bound])
    told = (new(f"{n:0100}") for n in range(1000))
    says(person, told)
    with pytest.raises(AgenticError, match="or too long paths"):
        await person.status()
    assert len(list(told)) == 1000 - 11


@pytest.mark.parametrize("work", ["push", "status"])
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([new("x.txt"), new("x\\x2etxt"), count(new=2)], "names 'x.txt' twice"),
        ([new("a"), count(new=1)], "'a' is new, against what it was asked"),
        ([difference("b", "gone", False), count(gone=1)], "'b' is gone, against"),
        ([new("b"), count()], "counts other differences"),
        ([], "ends before it is complete"),
    ],
    ids=["twice", "new", "gone", "count", "cut off"],
)
async def test_differences_that_cannot_be_right_are_refused(person, work, lines, reason):
    """As a pull refuses them: the server is broken, or not to be trusted."""
    person.write("a")
    says(person, lines)
    with pytest.raises(AgenticError, match=reason) as caught:
        await getattr(person, work)()
    assert (caught.value.code, caught.value.source) == ("upstream_failed", "client")
    assert person.remote.puts == []


def is_open(path):
    """Tell whether this process has a file open."""
    found = []
    for link in os.scandir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one of the listing itself
            found.append(os.readlink(link.path))
    return str(path) in found


async def test_who_does_not_wait_for_a_file_without_end_is_let_go(person):
    """Ctrl-C was heard, and the command went on until it had read all of 200 GB."""
    huge = person.write("huge")
    os.truncate(huge, 2**40)
    looking = asyncio.create_task(person.status())
    await until(lambda: is_open(huge))
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert not is_open(huge)
