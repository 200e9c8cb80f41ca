"""Which workspace and session go with a directory, and what is decided about a run's changes."""

import io
from pathlib import Path

import pytest
import typer
from rich.console import Console

from agentic.directory.state import VARIABLE
from agentic.directory.status import status
from agentic.terminal.show import Display
from agentic.work import runs
from agentic.work.directories import offer, show_status
from agentic.work.here import Here, fresh_name
from common.errors import AgenticError, ClientError
from common.sessions import Session
from tests.agentic.directory.fakes import FakeClient
from tests.agentic.fakes import SESSION, problem
from tests.agentic.work.test_files import a_workspace

SESSIONS = "/v1/sessions"
ITSELF = f"GET {SESSIONS}/{SESSION.id}"


@pytest.fixture
def here(target, tmp_path, monkeypatch):
    """Make a directory of somebody's, whose server answers as told."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "state"))
    (tmp_path / "project").mkdir()

    def make(routes, workspace=None):
        place = target(routes=routes)
        place.server, place.api_key = "http://server", None
        return Here(place, tmp_path / "project", workspace)

    return make


async def session_of(here, known=None, **how):
    """Return the session that a command works through, and what is remembered then."""
    async with here.target.client() as client, here.opened() as (_, state):
        state.update(**known or {})
        return await here.session(client, state, **how), state.known


async def test_the_session_of_the_last_command_is_used_again(here):
    """As long as it lives."""
    ours = here({ITSELF: SESSION})
    known = {"workspace": SESSION.workspace, "session_id": SESSION.id}
    assert (await session_of(ours, known))[0] == SESSION.id
    assert ours.target.routes.asked == [ITSELF]


async def test_a_session_that_has_expired_gives_way_to_another_of_the_workspace(here):
    """Its workspace is still there, with all that was pushed."""
    other = SESSION.model_copy(update={"id": "ses_" + "1" * 32})
    gone = ClientError("session_not_found", "it has expired")
    ours = here({ITSELF: problem(gone), "GET /v1/workspaces/demo": a_workspace(other.id)})
    known = {"workspace": "demo", "session_id": SESSION.id}
    found, remembered = await session_of(ours, known)
    assert (found, remembered.session_id) == (other.id, other.id)


async def test_a_first_push_makes_a_workspace_whose_name_is_remembered(here):
    """It is written down before the session is asked for: a lost answer leaves no second one."""
    ours = here({f"POST {SESSIONS}": SESSION})
    found, remembered = await session_of(ours)
    assert found == SESSION.id
    assert remembered.workspace.startswith("project-")


async def test_what_is_forgotten_is_told_before_anything_is_done(here, capsys):
    """A push would make a second workspace, and a pull would say that there never was one."""
    ours = here({})
    async with ours.opened() as (_, state):
        state.update(workspace="demo")
    (state.place / "known.json").write_bytes(b"garbage")
    async with ours.opened():
        told = capsys.readouterr().err.replace("\n", " ")
        assert "--workspace NAME takes the one there was" in told
    assert capsys.readouterr().err == ""


async def test_what_comes_up_in_a_command_that_fails_is_told_as_well(here, capsys):
    """It may be why."""

    async def fail():
        async with here({}).opened() as (_, state):
            state.notes.append("look here")
            raise ClientError("invalid_state", "it failed")

    with pytest.raises(ClientError):
        await fail()
    assert capsys.readouterr().err == "note: look here\n"


async def test_what_a_scan_has_to_note_is_printed_as_well(here, capsys):
    """It stood in the JSON of a status and of a push alone."""
    ours = here({})
    (ours.directory / ".agenticignore").write_text("[z-a]\n")
    async with ours.opened() as (root, state):
        for _ in range(2):
            found = await status(FakeClient({}), SESSION.id, root, state)
    noted = "Line 1 of '.agenticignore' is no rule and is passed over."
    assert (found.notes, capsys.readouterr().err) == ([noted], f"note: {noted}\n")


async def test_a_pull_makes_no_workspace(here):
    """Where none is known there is nothing to pull; and one that is named has to be there."""
    with pytest.raises(ClientError) as unknown:
        await session_of(here({}), is_made=False)
    assert unknown.value.code == "invalid_request"
    gone = problem(ClientError("workspace_not_found", "there is none"))
    with pytest.raises(ClientError) as missing:
        await session_of(here({"GET /v1/workspaces/demo": gone}, "demo"), is_made=False)
    assert missing.value.code == "workspace_not_found"


async def test_who_only_looks_moves_the_directory_to_no_workspace_that_is_not_there(here):
    """A slip in a name, and the next push would have gone there."""
    gone = problem(ClientError("workspace_not_found", "there is none"))
    ours = here({"GET /v1/workspaces/typo": gone}, "typo")
    async with ours.opened() as (_, state):
        state.update(workspace="demo")
    with pytest.raises(ClientError) as caught:
        await show_status(ours, is_json=False)
    assert caught.value.code == "workspace_not_found"
    async with ours.opened() as (_, state):
        assert state.known.workspace == "demo"


@pytest.mark.parametrize("name", ["", "A B", "../x", "x/", "-x", "x" * 64])
def test_what_no_workspace_is_called_is_refused(here, name):
    """Also an empty name, of a variable that is not set: it was taken for none at all."""
    with pytest.raises(typer.BadParameter, match="is no workspace's name"):
        here({}, name)


@pytest.mark.parametrize("place", [Path("/"), Path.home()], ids=["root", "home"])
def test_all_that_a_person_has_is_no_directory_to_push(target, place):
    """It is a slip, and would be sent to a server."""
    with pytest.raises(typer.BadParameter, match="name a directory beneath it"):
        Here(target(routes={}), place)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("My Project", "my-project-"), ("\u00e4\u00f6", "directory-"), ("x" * 300, "x" * 40 + "-")],
    ids=["blanks", "no letter of a name", "long"],
)
def test_the_name_of_a_workspace_is_one_whatever_its_directory_is_called(name, begins):
    """The alphabet of workspaces is narrow, for they are directories as well."""
    made = fresh_name(Path("/somewhere") / name)
    assert made.startswith(begins)
    session = Session.model_validate({**SESSION.model_dump(), "workspace": made})
    assert session.workspace != fresh_name(Path("/somewhere") / name)


class Terminal:
    """A person who types these lines."""

    def __init__(self, *lines, is_terminal=True):
        self.lines = list(lines)
        self.is_terminal = is_terminal

    def read(self, _label):
        return self.lines.pop(0) if self.lines else None


@pytest.mark.parametrize(
    ("taking", "terminal", "decision"),
    [
        ({}, Terminal("y"), "take"),
        ({}, Terminal("what?", "NO"), "undo"),
        ({}, Terminal(""), "leave"),
        ({}, Terminal(), "leave"),
        ({}, Terminal("y", is_terminal=False), "leave"),
        ({"is_sure": True}, Terminal(is_terminal=False), "take"),
        ({"is_left": True}, Terminal("y"), "leave"),
    ],
    ids=["yes", "no", "enter", "end of input", "no terminal", "--yes", "--no-pull"],
)
def test_changes_come_in_only_when_somebody_says_so(taking, terminal, decision):
    """What is not understood is asked again, and silence leaves all as it is."""
    assert runs.Taking(**taking).decide(terminal) == decision


def test_a_working_directory_that_was_removed_is_told_as_that(target, tmp_path, monkeypatch):
    """It was told as a standard output that could not be written."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(typer.BadParameter, match="cannot be used: No such file"):
        Here(target(routes={}), Path("."))


@pytest.mark.parametrize("below", ["", "execution/workspaces/local/demo"])
def test_the_data_of_a_stack_is_no_directory_to_push(here, tmp_path, below):
    """It changes while it is sent, and other people's workspaces lie in it."""
    ours = here({})
    for name in ("execution/workspaces/local/demo", "orchestrator"):
        (tmp_path / name).mkdir(parents=True)
    Here(ours.target, tmp_path / below)
    (tmp_path / "up.pid").touch()
    with pytest.raises(typer.BadParameter, match="data directory of a stack"):
        Here(ours.target, tmp_path / below)


@pytest.mark.parametrize("state", [".", "kept/state", ".."], ids=["itself", "within", "around"])
async def test_a_directory_and_the_state_of_it_lie_apart(here, tmp_path, monkeypatch, state):
    """It would be sent, with the texts of other directories; and a pull could write it."""
    ours = here({})
    monkeypatch.setenv(VARIABLE, str(tmp_path / "project" / state))
    with pytest.raises(ClientError, match="overlap") as caught:
        await session_of(ours)
    assert caught.value.code == "invalid_request"


class Agent(FakeClient):
    """A client of a workspace in which an agent has made a file."""

    def __init__(self):
        super().__init__({"shown": b"1"})

    async def create_session(self, _name):
        return SESSION


@pytest.mark.parametrize("later", [{}, {"unseen": b"2"}], ids=["as shown", "changed since"])
async def test_only_changes_that_were_shown_come_in_with_a_yes(here, tmp_path, later):
    """A workspace may change while a person reads what is in it: nobody has agreed to that."""
    client, display = Agent(), Display(Console(file=io.StringIO()))

    def decide():
        for path, content in later.items():
            client.archives.write(path, content)
        return "take"

    if later:
        with pytest.raises(AgenticError, match="changed since its changes were shown"):
            await offer(client, here({}), display, decide)
    else:
        await offer(client, here({}), display, decide)
    found = [path.name for path in (tmp_path / "project").iterdir()]
    assert found == ([] if later else ["shown"])
