"""What is listed, printed and deleted of workspaces and their files."""

import io
import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime

import httpx
import pytest
import typer

from agentic.work import files
from agentic.work.ending import ExitCode
from common.errors import ClientError, ToolError, error
from common.files.directories import DirectoryEntry
from common.files.workspaces import Workspace
from common.tools import ToolResult
from tests.agentic.fakes import SESSION, problem

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = f"/v1/sessions/{SESSION.id}/files"
WORKSPACE = "/v1/workspaces/demo"
GONE = ToolResult(id="c", tool="delete_path", output={}, receipts=[], replayed=False, duration_ms=1)


def a_workspace(*sessions, name="demo"):
    """A workspace that those sessions name."""
    return Workspace(
        name=name, size=9, entries=2, changed_at=NOW, generation="0" * 16, sessions=list(sessions)
    )


def an_entry(path, kind="file"):
    """Something in a directory."""
    return DirectoryEntry(path=path, type=kind, size=7, modified_at=NOW)


def a_file(content):
    """The answer that brings a file."""
    headers = {"etag": '"1"', "content-type": "application/octet-stream"}
    return httpx.Response(200, content=content, headers=headers)


@pytest.fixture
def place(target):
    """Name the workspace of the session, through the session unless said otherwise."""

    def make(routes, session_id=SESSION.id, workspace=None):
        return files.Place(target(routes=routes), session_id, workspace)

    return make


async def ls(place, path=".", limit=None, is_json=False):
    """List a directory, one level."""
    return await files.ls(place, path, depth=1, limit=limit, is_json=is_json)


@pytest.mark.parametrize(
    ("session_id", "workspace"), [(None, None), (SESSION.id, "demo")], ids=["neither", "both"]
)
def test_a_place_is_a_session_or_a_workspace(target, session_id, workspace):
    """None, and both, are wrong usage: nobody guesses where to delete."""
    with pytest.raises(typer.BadParameter, match="name the workspace"):
        files.Place(target(), session_id, workspace)


async def test_a_directory_is_listed_over_all_its_pages(place, capsys):
    """A line each, a directory with its slash, a name with a line break on one line."""
    entries = [an_entry("a"), an_entry("b\nc\x1b[31m"), an_entry("d", "directory")]
    assert await ls(place({f"GET {FILES}/src": entries}), "src") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["7", "2026-01-02", "03:04:05Z", "file", "a"]
    assert [line.split()[-1] for line in lines] == ["a", "b\\nc\\x1b[31m", "d/"]


async def test_a_directory_for_scripts_is_one_array(place, capsys):
    """Names as they are."""
    await ls(place({f"GET {FILES}/src": [an_entry("b\nc")]}), "src", is_json=True)
    assert json.loads(capsys.readouterr().out) == [an_entry("b\nc").model_dump(mode="json")]


async def test_a_workspaces_session_is_used_again(place, capsys):
    """A listing leaves nothing behind."""
    routes = {
        f"GET {WORKSPACE}": a_workspace("ses_" + "0" * 32, SESSION.id),
        f"GET {FILES}/src": [an_entry("a")],
    }
    ours = place(routes, None, "demo")
    await ls(ours, "src")
    assert [asked.split()[0] for asked in ours.target.routes.asked] == ["GET", "GET"]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_workspace_that_outlived_its_sessions_gets_one_for_the_moment(place, fails):
    """And it is deleted again, also where the listing fails."""
    routes = {
        f"GET {WORKSPACE}": a_workspace(),
        "POST /v1/sessions": SESSION,
        f"DELETE /v1/sessions/{SESSION.id}": httpx.Response(204),
        f"GET {FILES}/src": problem(error("path_not_found", "no")) if fails else [an_entry("a")],
    }
    ours = place(routes, None, "demo")
    with pytest.raises(ToolError, match="path_not_found") if fails else nullcontext():
        await ls(ours, "src")
    assert ours.target.routes.asked[-1] == f"DELETE /v1/sessions/{SESSION.id}"


async def test_a_workspace_that_does_not_exist_is_not_made_by_looking(place):
    """A misspelt name is told, and is no workspace afterwards."""
    missing = problem(error("workspace_not_found", "no"))
    ours = place({f"GET {WORKSPACE}": missing}, None, "demo")
    with pytest.raises(ClientError, match="workspace_not_found"):
        await ls(ours)
    assert ours.target.routes.asked == [f"GET {WORKSPACE}"]


async def test_a_file_comes_out_unchanged(place, capsysbinary):
    """Every byte, into a pipe."""
    content = bytes(range(256)) * 10
    assert await files.cat(place({f"GET {FILES}/a.bin": a_file(content)}), "a.bin") == 0
    assert capsysbinary.readouterr().out == content


async def test_a_terminal_gets_no_file_that_steers_it(place, monkeypatch):
    """Neither escapes nor half a character: what was cut between two pieces is put together."""

    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    async def pieces():
        for piece in (b"k\xc3", b"\xa4se\n\x1b]0;owned\x07\x9b\xff"):
            yield piece

    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(shown, encoding="utf-8"))
    headers = {"content-length": "18"}
    answer = a_file(pieces())
    answer.headers.update(headers)
    await files.cat(place({f"GET {FILES}/a": answer}), "a")
    assert shown.getvalue().decode() == "käse\n\\x1b]0;owned\\x07��"


async def test_a_file_is_deleted(place, capsys):
    """The service's result for scripts."""
    for is_json in (False, True):
        await files.rm(place({f"DELETE {FILES}/a.txt": GONE}), "a.txt", is_json=is_json)
        told = capsys.readouterr().out
        assert (json.loads(told)["tool"] if is_json else told) == (
            "delete_path" if is_json else "deleted: a.txt\n"
        )


async def test_workspaces_are_listed(target, capsys):
    """How large, when it changed, whether it is in use."""
    ours = target(routes={"GET /v1/workspaces": [a_workspace(SESSION.id), a_workspace(name="b")]})
    await files.workspaces(ours, limit=20, is_json=False)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["demo", "9", "bytes", "2", "entries", "2026-01-02", "03:04:05Z", "1", "sessions"],
        ["b", "9", "bytes", "2", "entries", "2026-01-02", "03:04:05Z", "0", "sessions"],
    ]


async def test_one_workspace_is_shown_with_its_sessions(target, capsys):
    """They keep it from being deleted."""
    for is_json in (False, True):
        ours = target(routes={f"GET {WORKSPACE}": a_workspace(SESSION.id)})
        await files.workspace(ours, "demo", is_json=is_json)
        told = capsys.readouterr().out
        if is_json:
            assert Workspace.model_validate_json(told) == a_workspace(SESSION.id)
        else:
            assert told.splitlines()[1] == f"  {SESSION.id}"


@pytest.mark.parametrize("typed", ["", "\n", "no\n", "y\n", "demo\n"])
async def test_a_workspace_is_not_deleted_without_a_yes(target, monkeypatch, capsys, typed):
    """Nor where nobody is there to say it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    ours = target(routes={})
    code = await files.delete_workspace(ours, "demo", is_sure=False)
    assert code == ExitCode.CANCELLED
    assert "It is left as it is." in capsys.readouterr().out
    assert ours.routes.asked == []


@pytest.mark.parametrize("is_sure", [True, False])
async def test_a_workspace_is_deleted_after_a_yes(target, monkeypatch, is_sure):
    """Or with `--yes`; with the sessions on it, which would keep it from that."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    session = f"DELETE /v1/sessions/{SESSION.id}"
    gone = dict.fromkeys((session, f"DELETE {WORKSPACE}"), httpx.Response(204))
    ours = target(routes={f"GET {WORKSPACE}": a_workspace(SESSION.id), **gone})
    assert await files.delete_workspace(ours, "demo", is_sure=is_sure) == 0
    assert ours.routes.asked == [f"GET {WORKSPACE}", session, f"DELETE {WORKSPACE}"]


async def test_a_workspace_whose_session_is_busy_is_not_deleted(target):
    """A run is at work on it: nothing of its files goes."""
    busy = problem(error("session_busy", "a run goes on"))
    routes = {
        f"GET {WORKSPACE}": a_workspace(SESSION.id),
        f"DELETE /v1/sessions/{SESSION.id}": busy,
    }
    ours = target(routes=routes)
    with pytest.raises(ClientError) as caught:
        await files.delete_workspace(ours, "demo", is_sure=True)
    assert caught.value.code == "session_busy"
    assert f"DELETE {WORKSPACE}" not in ours.routes.asked
