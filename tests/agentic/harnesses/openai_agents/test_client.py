"""The provider: how sandboxes are found again and deleted, by a client of a script."""

import json

import httpx
import pytest
from agents.sandbox.errors import WorkspaceStartError
from agents.sandbox.session import SandboxSessionState
from agents.sandbox.snapshot import NoopSnapshot

from agentic import AgenticClient
from agentic.harnesses.openai_agents import AgenticSandboxClient, AgenticSandboxClientOptions
from common.errors import AgenticError, error
from common.ids import new_id
from tests.agentic.fakes import NOW, SESSION, problem
from tests.agentic.harnesses.openai_agents.conftest import a_state

USAGE = {"name": "demo", "size": 1, "entries": 1, "changed_at": NOW.isoformat(), "generation": "g"}
KEY = "a-secret-key"


class Service(httpx.AsyncBaseTransport):
    """Answers for sessions and workspaces; what is `refusals` has its error, by method and path."""

    def __init__(self, **refusals):
        self._refusals = refusals
        self.asked = []
        self.made = SESSION

    async def handle_async_request(self, request):
        """Answer a request."""
        kind = "workspace" if "/workspaces/" in request.url.path else "session"
        what = f"{request.method.lower()}_{kind}"
        self.asked.append(what)
        if what in self._refusals:
            return problem(error(self._refusals[what], "refused"))
        if request.method == "DELETE":
            return httpx.Response(204)
        if kind == "workspace":
            return httpx.Response(200, json={**USAGE, "sessions": []})
        if request.method == "POST":
            self.made = SESSION.model_copy(update={"id": new_id("ses")})
        return httpx.Response(200, content=self.made.model_dump_json())


@pytest.fixture
async def provide():
    """Make a provider over a service of such refusals."""
    clients = []

    async def make(**refusals):
        service = Service(**refusals)
        client = AgenticClient("http://127.0.0.1:8000", KEY, transport=service)
        clients.append(client)
        return AgenticSandboxClient(client), service

    yield make
    for client in clients:
        await client.__aexit__(None, None, None)


@pytest.mark.parametrize(("named", "owned"), [(None, True), ("demo", False)])
async def test_fresh_workspace_is_the_sandboxes_own(provide, named, owned):
    """A named one is somebody's, who wants to find it again."""
    sandboxes, service = await provide()
    session = await sandboxes.create(options=AgenticSandboxClientOptions(workspace=named))
    assert session.state.is_workspace_owned is owned
    service.asked.clear()
    assert await sandboxes.delete(session) is session
    assert service.asked == ["delete_session", *(["delete_workspace"] if owned else [])]


async def test_deleting_what_is_gone_is_no_error(provide):
    """Sessions age; the workspace is deleted all the same."""
    sandboxes, service = await provide(
        delete_session="session_not_found", delete_workspace="workspace_not_found"
    )
    await sandboxes.delete(await sandboxes.create())
    assert service.asked[-2:] == ["delete_session", "delete_workspace"]


async def test_workspace_that_others_use_is_not_deleted_in_silence(provide):
    """Whoever deletes has to know that it stays."""
    sandboxes, _ = await provide(delete_workspace="workspace_in_use")
    with pytest.raises(AgenticError, match="workspace_in_use"):
        await sandboxes.delete(await sandboxes.create())


async def test_state_says_where_and_gives_no_rights(provide):
    """It is kept in files and databases: no key, no policy that another one could loosen."""
    sandboxes, _ = await provide()
    session = await sandboxes.create()
    kept = json.dumps(sandboxes.serialize_session_state(session.state))
    assert KEY not in kept
    assert not {"access", "approval"} & set(json.loads(kept))
    state = sandboxes.deserialize_session_state(json.loads(kept))
    assert state == session.state
    assert type(SandboxSessionState.parse(json.loads(kept))) is type(state)


@pytest.mark.parametrize(
    ("refusals", "is_new", "is_there"),
    [
        ({}, False, True),
        ({"get_session": "session_not_found"}, True, True),
        ({"get_workspace": "workspace_not_found"}, False, False),
        (
            {"get_session": "session_not_found", "get_workspace": "workspace_not_found"},
            True,
            False,
        ),
    ],
)
async def test_resume_finds_what_is_left(provide, refusals, is_new, is_there):
    """The workspace is what counts: nothing is put into one that is there."""
    sandboxes, service = await provide(**refusals)
    session = await sandboxes.resume(a_state())
    assert (session.state.agentic_session != SESSION.id) is is_new
    assert session.state.agentic_session == service.made.id
    assert session._inner._workspace_state_preserved_on_start() is is_there


async def test_resume_takes_no_other_sandboxes_state(provide):
    """It would be found nowhere."""
    sandboxes, service = await provide()
    other = SandboxSessionState(
        type="other", snapshot=NoopSnapshot(id="x"), manifest=a_state().manifest
    )
    with pytest.raises(TypeError, match="no state of this sandbox"):
        await sandboxes.resume(other)
    assert service.asked == []


async def test_refusal_is_a_start_that_failed(provide):
    """What is wrong is in its words; that it can be tried again, too."""
    sandboxes, _ = await provide(post_session="unavailable", get_session="unavailable")
    for starting in (sandboxes.create(), sandboxes.resume(a_state())):
        with pytest.raises(WorkspaceStartError, match="unavailable") as caught:
            await starting
        assert caught.value.retryable is True
