"""What the suite of Pydantic AI does not ask of a backend: its errors, and what it does not send."""

import pytest
from pydantic_ai.workspaces import WorkspaceRef, WorkspaceUnavailableError

from agentic.harnesses.pydantic_ai import PROVIDER, AgenticWorkspaceBackend
from common.errors import AgenticError, error
from tests.agentic.fakes import SESSION
from tests.agentic.harnesses.fakes import Orchestrator, refused


@pytest.fixture
async def prepare(connect):
    """A backend at an orchestrator that answers so."""

    async def make(*answers, **terms):
        orchestrator = Orchestrator(*answers)
        return AgenticWorkspaceBackend(await connect(orchestrator), **terms), orchestrator

    return make


async def test_a_ref_of_another_provider_is_refused(prepare):
    """Its id would be looked for among our sessions."""
    with pytest.raises(ValueError, match="docker"):
        await prepare(ref=WorkspaceRef(provider="docker", id="x"))


async def test_a_ref_is_the_sessions(prepare):
    """None before there is one."""
    backend, _ = await prepare()
    assert backend.ref is None
    assert await backend.working_dir() == "/workspace"
    assert backend.ref == WorkspaceRef(provider=PROVIDER, id=SESSION.id)


@pytest.mark.parametrize("code", ["session_not_found", "workspace_not_found", "unauthenticated"])
async def test_a_session_that_is_gone_is_an_unavailable_workspace(prepare, code):
    """No retry can help."""
    backend, _ = await prepare(refused(error(code, "what happened")))
    with pytest.raises(WorkspaceUnavailableError, match=code):
        await backend.read_bytes("/workspace/a")


@pytest.mark.parametrize("code", ["unavailable", "rate_limited", "deadline_exceeded"])
async def test_what_may_pass_stays_what_it_is(prepare, code):
    """Pydantic AI has whoever retries decide about that."""
    backend, _ = await prepare(error(code, "what happened"))
    with pytest.raises(AgenticError) as caught:
        await backend.read_bytes("/workspace/a")
    assert caught.value.code == code


async def test_nothing_outside_of_the_workspace_is_asked_for(prepare):
    """It is not there."""
    backend, orchestrator = await prepare()
    with pytest.raises(FileNotFoundError):
        await backend.write_bytes("/etc/passwd", b"x")
    assert not await backend.exists("/etc/passwd")
    assert orchestrator.requests == []


async def test_a_link_is_no_directory_and_has_no_size(prepare):
    """It is listed, and leads nowhere: a size of it would be that of its text."""
    links = [{"path": "a/l", "type": "symlink", "size": 3}]
    backend, _ = await prepare({"entries": links, "next_cursor": None})
    [entry] = await backend.list_dir("/workspace/a")
    assert (entry.name, entry.path, entry.is_dir, entry.size) == (
        "l",
        "/workspace/a/l",
        False,
        None,
    )
