"""Commands: what the SDK sends is answered by tools, everything else refused."""

import pytest
from agents.sandbox import ExecTransportError

from common.errors import error
from tests.agentic.harnesses.fakes import a_called_run

GONE = error("path_not_found", "nothing there")


@pytest.mark.parametrize(
    ("flag", "kind", "expected"),
    [
        ("-d", "directory", 0),
        ("-d", "file", 1),
        ("-x", "directory", 0),
        ("-f", "file", 0),
        ("-f", "directory", 1),
        ("-f", "symlink", 1),
    ],
)
async def test_test_looks_by_a_tool(open_session, flag, kind, expected):
    """The SDK asks so whether a workspace, a working directory or a file of its own is there."""
    session, orchestrator = await open_session({"type": kind})
    result = await session.exec("test", flag, "/workspace/a", shell=False)
    assert result.exit_code == expected
    assert orchestrator.calls == [("get_file_info", {"path": "a", "hash": False})]


@pytest.mark.parametrize("flag", ["-d", "-f"])
async def test_test_fails_where_nothing_is(open_session, flag):
    """As the command does: nothing is no error."""
    session, _ = await open_session(GONE)
    assert (await session.exec("test", flag, "/workspace/a", shell=False)).exit_code == 1


async def test_mode_that_nobody_asked_for_is_let_pass(open_session):
    """Each entry of a manifest has one: it says nothing unless it is another."""
    session, orchestrator = await open_session()
    assert (await session.exec("chmod", "0755", "/workspace/a", shell=False)).ok()
    assert orchestrator.requests == []


@pytest.mark.parametrize(
    ("command", "terms"),
    [
        (("chmod", "0600", "/workspace/a"), {"shell": False}),
        (("useradd", "-U", "someone"), {"shell": False}),
        (("test", "-L", "/workspace/a"), {"shell": False}),
        (("test", "-d", "/workspace"), {"shell": True}),
        (("test", "-d", "/workspace"), {"shell": False, "user": "someone"}),
        (("ls",), {}),
    ],
)
async def test_other_commands_are_refused_before_anything_is_sent(open_session, command, terms):
    """The error says that there is no shell, which command was meant, and what to use."""
    session, orchestrator = await open_session(a_called_run({}))
    with pytest.raises(ExecTransportError, match="no shell") as caught:
        await session.exec(*command, **terms)
    assert command[0] in caught.value.message
    assert "default_capabilities" in caught.value.message
    assert orchestrator.requests == []
