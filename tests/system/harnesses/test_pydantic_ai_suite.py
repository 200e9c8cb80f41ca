"""Pydantic AI's own suite for workspace backends, against both services as processes."""

import httpx
import pytest
from pydantic_ai.workspaces.conformance import WorkspaceBackendSuite

from agentic import AgenticClient
from agentic.harnesses.pydantic_ai import AgenticWorkspaceBackend


class TestWorkspaceBackend(WorkspaceBackendSuite):
    """Each rule but those of commands, of which there are none."""

    @pytest.fixture
    def client(self, plain_pair):
        """One that keeps no connection: the suite's tests and their fixtures run in loops of their own."""
        limits = httpx.Limits(max_keepalive_connections=0)
        return AgenticClient(plain_pair.url, transport=httpx.AsyncHTTPTransport(limits=limits))

    @pytest.fixture
    def backend(self, client):
        """One with a workspace of its own."""
        return AgenticWorkspaceBackend(client)

    @pytest.fixture
    def fresh_backend(self, client):
        """Makes one that has not been used."""
        return lambda: AgenticWorkspaceBackend(client)

    @pytest.fixture
    def attach_backend(self, client):
        """Makes one for a ref."""
        return lambda ref: AgenticWorkspaceBackend(client, ref)

    @pytest.fixture
    def destroy_environment(self, client):
        """Deletes the session, and the workspace with it."""

        async def destroy(backend):
            await client.delete_session(backend.ref.id, with_workspace=True)

        return destroy

    @pytest.fixture
    def can_detect_exit_with_inherited_output_pipes(self):
        """No: for a backend without commands that test waits half a minute before it is skipped."""
        return False
