"""`agentic pull --give-up`: what stands in a pull's way blocks a directory no longer than a person wants."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from agentic.commands.app import app
from agentic.directory.pull import pull
from agentic.directory.root import Root
from agentic.directory.state import VARIABLE, opened_state
from common.errors import AgenticError
from tests.agentic.directory.fakes import SESSION, FakeClient
from tests.agentic.directory.pulling.places import tree

NOWHERE = ["--url", "http://127.0.0.1:1", "--api-key", "key"]
A_FILE = {"change": "new", "size": 4}


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A directory with a pull that has placed one file of three, and cannot go on."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "state"))
    made = tmp_path / "here"
    made.mkdir()

    def refuse(moment, path):
        if (moment, path) == ("staged", "b"):
            raise OSError("it is refused")

    async def interrupted():
        with Root(made) as root:
            async with opened_state(root, NOWHERE[1], NOWHERE[3]) as state:
                files = dict.fromkeys("abc", b"text")
                await pull(FakeClient(files), SESSION, root, state, observe=refuse)

    with pytest.raises(AgenticError):
        asyncio.run(interrupted())
    return made


def give_up(directory, *more):
    """Run the command, of which the server is not there."""
    return CliRunner().invoke(app, ["pull", str(directory), "--give-up", *NOWHERE, *more])


def test_a_pull_is_given_up_without_a_server_and_told_file_by_file(directory):
    """Who is blocked may be so because the server is gone for good."""
    ended = give_up(directory)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "gave up an interrupted pull: 1 file done",
        "left to the next pull: b",
        "left to the next pull: c",
    ]
    assert tree(directory) == {"a": (b"text", False)}
    assert give_up(directory).stdout == "no pull is to be finished here\n"


def test_a_pull_that_is_given_up_is_told_to_scripts(directory):
    """As the steps of a pull are."""
    told = json.loads(give_up(directory, "--json").stdout)
    assert told == {
        "done": [{"path": "a", **A_FILE}],
        "left": [{"path": "b", **A_FILE}, {"path": "c", **A_FILE}],
    }


def test_giving_up_is_no_way_to_pull(directory):
    """A choice among the sides says that something is to be pulled: one of the two is a slip."""
    ended = give_up(directory, "--theirs")
    assert ended.exit_code == 2
    assert "--give-up" in ended.output


def test_an_empty_goal_is_refused_before_the_directory_is_sent_for_it(directory):
    """The server refused it as well, once all was there."""
    ended = CliRunner().invoke(app, ["run", "", "--dir", str(directory), *NOWHERE])
    assert (ended.exit_code, "the GOAL is empty" in ended.stderr) == (2, True)
