"""Workspaces over HTTP: who is told of them, and when they may go."""

import hashlib
from types import SimpleNamespace

import httpx
import pytest

from common.errors import ClientError, SystemFault
from common.files.workspaces import WorkspaceUsage
from common.models import Page
from tests.orchestrator.builders import document

KEYS = {
    hashlib.sha256(f"key-of-{user}".encode()).digest(): user for user in ("ann", "bob")
}  # fmt: skip


class FakeWorkspaces:
    """Has these workspaces; `failure` is raised by the next deletion."""

    def __init__(self, *names):
        self.names = list(names)
        self.deleted = []
        self.failure = None

    def _usage(self, name):
        return WorkspaceUsage(
            name=name, size=1, entries=1, changed_at="2026-01-01T00:00:00Z", generation="g"
        )

    async def list(self, user_id, limit, cursor, request_id):
        """Return all."""
        return Page(items=[self._usage(name) for name in self.names], next_cursor="more")

    async def get(self, user_id, name, request_id):
        """Return one."""
        return self._usage(name)

    async def delete(self, context):
        """Note it."""
        if self.failure is not None:
            raise self.failure
        self.deleted.append(context.allowed_paths_root)


@pytest.fixture
def workspaces():
    """What the execution environment has."""
    return FakeWorkspaces("a", "w")


@pytest.fixture
async def ann(live, workspaces):
    """Ann's way to the service."""
    served = await live(KEYS, upstream=SimpleNamespace(workspaces=workspaces))
    headers = {"Authorization": "Bearer key-of-ann"}
    async with httpx.AsyncClient(base_url=f"http://{served.base}", headers=headers) as http:
        yield http


async def test_workspaces_are_listed_with_the_users_own_sessions(ann, session):
    """Of another user's session on a workspace of the same name nothing is told."""
    opened = await session(workspace="w")
    await session("bob", workspace="w")
    page = (await ann.get("/v1/workspaces")).json()
    assert [(item["name"], item["sessions"]) for item in page["items"]] == [
        ("a", []),
        ("w", [opened.id]),
    ]
    assert page["next_cursor"] == "more"
    assert (await ann.get("/v1/workspaces/w")).json()["sessions"] == [opened.id]


async def test_a_workspace_is_deleted_unless_a_session_of_its_user_names_it(
    ann, session, workspaces
):
    """The refusal names the sessions."""
    await session("bob", workspace="w")
    opened = await session(workspace="w")
    refused = await ann.delete("/v1/workspaces/w")
    assert (refused.status_code, refused.json()["code"]) == (409, "workspace_in_use")
    assert refused.json()["context"] == {"sessions": [opened.id]}
    assert (await ann.delete("/v1/workspaces/a")).status_code == 204
    assert workspaces.deleted == ["ann/a"]


async def test_a_session_that_is_deleted_leaves_its_workspace_unless_asked(
    ann, session, workspaces
):
    """It is asked for by name, and nothing else is a name for it."""
    kept, wrong = [await session(workspace="w") for _ in range(2)]
    assert (await ann.delete(f"/v1/sessions/{kept.id}")).status_code == 204
    unclear = await ann.delete(f"/v1/sessions/{wrong.id}", params={"workspace": "yes"})
    assert unclear.json()["code"] == "invalid_request"
    assert workspaces.deleted == []
    assert (await ann.get(f"/v1/sessions/{wrong.id}")).status_code == 200


async def test_a_session_takes_its_workspace_along_when_it_is_the_only_one(
    ann, session, store, workspaces
):
    """While another one names it, both stay; while a run works in it, too."""
    first, second = [await session(workspace="w") for _ in range(2)]
    with_workspace = {"workspace": "delete"}
    shared = await ann.delete(f"/v1/sessions/{first.id}", params=with_workspace)
    assert shared.json()["context"] == {"sessions": [second.id]}
    await store.sessions.delete(second.id, "ann")
    run = document(first.id)
    await store.runs.create(run, "reject")
    busy = await ann.delete(f"/v1/sessions/{first.id}", params=with_workspace)
    assert (busy.status_code, busy.json()["code"]) == (409, "session_busy")
    assert workspaces.deleted == []
    await store.runs.cancel(first.id, run.id)
    gone = await ann.delete(f"/v1/sessions/{first.id}", params=with_workspace)
    assert (gone.status_code, workspaces.deleted) == (204, ["ann/w"])
    assert (await ann.get(f"/v1/sessions/{first.id}")).status_code == 404


async def test_a_session_stays_until_its_workspace_is_gone_for_certain(ann, session, workspaces):
    """The same request again does the rest, whatever the lost answer was."""
    opened = await session(workspace="w")
    where, with_workspace = f"/v1/sessions/{opened.id}", {"workspace": "delete"}
    workspaces.failure = SystemFault("upstream_failed", "lost")
    lost = await ann.delete(where, params=with_workspace)
    assert (lost.status_code, lost.json()["outcome"]) == (502, "unknown")
    assert (await ann.get(where)).status_code == 200
    workspaces.failure = ClientError("workspace_not_found", "gone already")
    assert (await ann.delete(where, params=with_workspace)).status_code == 204
    assert (await ann.get(where)).status_code == 404
