"""The sandbox provider: makes sandboxes, finds them again, deletes them."""

import secrets
import uuid
from pathlib import Path

from agents.sandbox import Manifest, SnapshotSpec, resolve_snapshot
from agents.sandbox.session import (
    BaseSandboxClient,
    Dependencies,
    Instrumentation,
    SandboxSession,
    SandboxSessionState,
)
from agents.sandbox.snapshot import SnapshotBase

from agentic.api.client import AgenticClient
from agentic.harnesses.calls import PATIENCE
from agentic.harnesses.openai_agents.faults import starting, unless_gone
from agentic.harnesses.openai_agents.session import AgenticSandboxSession, inner_of
from agentic.harnesses.openai_agents.state import (
    BACKEND,
    AgenticSandboxClientOptions,
    AgenticSandboxSessionState,
)
from common.approvals.reviews import Policy
from common.context import Access
from common.sessions import Session


class AgenticSandboxClient(BaseSandboxClient[AgenticSandboxClientOptions | None]):
    """Sandboxes that are sessions of an orchestrator, opened with a user's key.

    What may be done in them is the client's to say, never a state's: `access`, and `approval`, which
    says what asks a person, who has so many seconds; unset: as the deployment has it.
    """

    backend_id = BACKEND
    supports_default_options = True

    def __init__(
        self,
        client: AgenticClient,
        *,
        access: Access = "read_write",
        approval: Policy | None = None,
        approval_seconds: float = PATIENCE,
        instrumentation: Instrumentation | None = None,
        dependencies: Dependencies | None = None,
    ) -> None:
        self._client = client
        self._access = access
        self._approval = approval
        self._approval_seconds = approval_seconds
        self._instrumentation = instrumentation
        self._dependencies = dependencies

    async def create(
        self,
        *,
        snapshot: SnapshotSpec | SnapshotBase | None = None,
        manifest: Manifest | None = None,
        options: AgenticSandboxClientOptions | None = None,
    ) -> SandboxSession:
        """Open a session; raise WorkspaceStartError where it cannot be had.

        Of a manifest only files and directories can be made: the rest is refused when it starts.
        """
        manifest = self._validate_manifest_for_create(manifest or Manifest())
        workspace = None if options is None else options.workspace
        opened = await self._open(workspace, manifest)
        session_id = uuid.uuid4()
        state = AgenticSandboxSessionState(
            session_id=session_id,
            snapshot=resolve_snapshot(snapshot, str(session_id)),
            manifest=manifest,
            agentic_session=opened.id,
            workspace=opened.workspace,
            is_workspace_owned=workspace is None,
        )
        return self._wrapped(state)

    async def resume(self, state: SandboxSessionState) -> SandboxSession:
        """Find a session again; one that is gone by now is another one on the same workspace.

        A workspace that is gone too is made anew, from the snapshot or the manifest.
        """
        if not isinstance(state, AgenticSandboxSessionState):
            raise TypeError(f"{type(state).__name__} is no state of this sandbox")
        state.assert_path_grants_rebound()
        with starting(Path(state.manifest.root)):
            session = await unless_gone(
                self._client.session(state.agentic_session), "session_not_found"
            )
            workspace = await unless_gone(
                self._client.workspaces.get(state.workspace), "workspace_not_found"
            )
        if session is None:
            state.agentic_session = (await self._open(state.workspace, state.manifest)).id
        return self._wrapped(state, is_there=workspace is not None)

    async def delete(self, session: SandboxSession) -> SandboxSession:
        """Delete the session, and the workspace if it was made for it; raise AgenticError."""
        state = inner_of(session).state
        await unless_gone(self._client.delete_session(state.agentic_session), "session_not_found")
        if state.is_workspace_owned:
            await unless_gone(
                self._client.workspaces.delete(state.workspace), "workspace_not_found"
            )
        return session

    def deserialize_session_state(self, payload: dict[str, object]) -> SandboxSessionState:
        """Return a state of what `serialize_session_state` has made of it."""
        return self._deserialize_session_state_payload(payload, AgenticSandboxSessionState)

    async def _open(self, workspace: str | None, manifest: Manifest) -> Session:
        with starting(Path(manifest.root)):
            key = secrets.token_hex(16)
            return await self._client.create_session(workspace, idempotency_key=key)

    def _wrapped(
        self, state: AgenticSandboxSessionState, *, is_there: bool = False
    ) -> SandboxSession:
        session = AgenticSandboxSession(
            state,
            self._client,
            access=self._access,
            approval=self._approval,
            approval_seconds=self._approval_seconds,
            is_there=is_there,
        )
        return self._wrap_session(session, instrumentation=self._instrumentation)
