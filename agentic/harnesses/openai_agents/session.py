"""The session of a sandbox: the SDK's operations as those of a session at the orchestrator."""

import io
from pathlib import Path
from typing import cast

from agents.sandbox import ExecResult, User, WorkspaceArchiveWriteError
from agents.sandbox.errors import InvalidManifestPathError
from agents.sandbox.files import EntryKind, FileEntry
from agents.sandbox.session import BaseSandboxSession, SandboxSession

from agentic.api.client import AgenticClient
from agentic.harnesses.calls import Calls
from agentic.harnesses.contents import Contents
from agentic.harnesses.openai_agents.commands import answer
from agentic.harnesses.openai_agents.faults import require_no_user, starting, unless_gone
from agentic.harnesses.openai_agents.files import SandboxFiles, content_of
from agentic.harnesses.openai_agents.snapshots import Snapshots
from agentic.harnesses.openai_agents.state import AgenticSandboxSessionState
from agentic.harnesses.opening import Opening
from agentic.harnesses.paths import Root
from common.approvals.reviews import Policy
from common.context import Access
from common.tools import Tools

FINGERPRINT = "agentic_files_sha256_v1"


class AgenticSandboxSession(BaseSandboxSession):
    """Files under the rules of a session; no commands, terminals, ports or users.

    Errors are the SDK's. What the SDK's runtime asks by hooks of its base class is answered by them.
    """

    state: AgenticSandboxSessionState

    def __init__(
        self,
        state: AgenticSandboxSessionState,
        client: AgenticClient,
        *,
        access: Access,
        approval: Policy | None,
        approval_seconds: float,
        is_there: bool,
    ) -> None:
        """`is_there`: whether the workspace is as it was left, so that nothing is put into it."""
        self.state = state
        self.root = Root(state.manifest.root)
        self.tools: Tools = {}
        """Those of the execution environment, by name, once the session is started."""
        self._client = client
        self._access = access
        self._opening = Opening(client, session_id=state.agentic_session)
        self.calls = Calls(
            client, self._opening, access=access, approval=approval, patience=approval_seconds
        )
        contents = Contents(client, self._opening, self.calls)
        self._files = SandboxFiles(self.calls, contents, self.root)
        self._snapshots = Snapshots(client, self._opening, Path(self.root.path))
        self._set_start_state_preserved(is_there)

    async def _ensure_backend_started(self) -> None:
        with starting(Path(self.root.path)):
            await self._opening.session()
            self.tools = {tool.name: tool for tool in await self._client.tools()}

    async def running(self) -> bool:
        """Tell whether it was started, and its session is still there."""
        if not self.tools:
            return False
        session = self._client.session(self.state.agentic_session)
        return await unless_gone(session, "session_not_found") is not None

    async def read(self, path: Path, *, user: str | User | None = None) -> io.IOBase:
        """Return a file's contents, all of them."""
        require_no_user(user)
        return io.BytesIO(await self._files.read(self.normalize_path(path)))

    async def write(self, path: Path, data: io.IOBase, *, user: str | User | None = None) -> None:
        """Make or replace a file, with the directories above it."""
        require_no_user(user)
        target = self.normalize_path(path, for_write=True)
        await self._files.write(target, content_of(data, target))

    async def _write_new_file(
        self, path: Path, data: io.IOBase, *, user: str | User | None = None
    ) -> None:
        require_no_user(user)
        target = self.normalize_path(path, for_write=True)
        await self._files.create(target, content_of(data, target))

    async def ls(self, path: Path | str, *, user: str | User | None = None) -> list[FileEntry]:
        """Return what is in a directory, ordered by name; no modes are told."""
        require_no_user(user)
        return await self._files.entries(self.normalize_path(path))

    async def rm(
        self, path: Path | str, *, recursive: bool = False, user: str | User | None = None
    ) -> None:
        """Remove a file, a link itself, or, recursively, a directory with all that is in it."""
        require_no_user(user)
        await self._files.remove(self._inside(path), is_recursive=recursive)

    async def mv(
        self, source: Path | str, destination: Path | str, *, user: str | User | None = None
    ) -> None:
        """Rename a file or a link, over a file that is there."""
        require_no_user(user)
        await self._files.move(self._inside(source), self._inside(destination))

    async def mkdir(
        self, path: Path | str, *, parents: bool = False, user: str | User | None = None
    ) -> None:
        """Make a directory, and those above it; with `parents` one may be there already."""
        require_no_user(user)
        target = self.normalize_path(path, for_write=True)
        await self._files.make_directory(target, may_exist=parents)

    async def same_file(
        self,
        left: Path | str,
        right: Path | str,
        *,
        follow_symlinks: bool = True,
        user: str | User | None = None,
    ) -> bool:
        """Tell whether two paths are one, and a file is there: names that differ are two files.

        Links are not followed, and of two hard links to a file a change makes two files.
        """
        require_no_user(user)
        first = self.normalize_path(left)
        if first != self.normalize_path(right):
            return False
        kind = await self._files.kind(first)
        return kind is not None and (follow_symlinks or kind is not EntryKind.SYMLINK)

    async def persist_workspace(self) -> io.IOBase:
        """Return a tar of the workspace, without links and specials."""
        return cast(
            "io.IOBase", await self._snapshots.take(self._persist_workspace_skip_relpaths())
        )

    async def hydrate_workspace(self, data: io.IOBase) -> None:
        """Put a tar's files into the workspace, over those that are there: all of them or none.

        Raises WorkspaceArchiveWriteError for links and specials in it, which are not taken in.
        """
        self._require_writable()
        async with self._snapshots.prepared(data) as archive:
            await self._snapshots.put(archive)

    async def _restore_snapshot_into_workspace_on_resume(self) -> None:
        """Nothing is cleared beforehand: what cannot be put back leaves all as it is."""
        self._require_writable()
        with await self.state.snapshot.restore(dependencies=self.dependencies) as tar:
            async with self._snapshots.prepared(tar) as archive:
                await self._snapshots.replace(archive)

    async def _compute_and_cache_snapshot_fingerprint(
        self, *, version: str | None = None
    ) -> dict[str, str]:
        """Nothing is cached: the service remembers the hashes of files."""
        _ = version
        digest = await self._snapshots.digest(self._workspace_fingerprint_skip_relpaths())
        return {"fingerprint": digest + self._resume_manifest_digest(), "version": FINGERPRINT}

    async def _delete_cached_snapshot_fingerprint_best_effort(self) -> None:
        """Nothing is cached."""

    async def _exec_internal(
        self, *command: str | Path, timeout: float | None = None  # noqa: ASYNC109 - the SDK's
    ) -> ExecResult:
        _ = timeout
        return await answer(self._files, [str(part) for part in command])

    def _inside(self, path: Path | str) -> Path:
        """Return the path of something in the workspace; the workspace itself stays where it is."""
        target = self.normalize_path(path, for_write=True)
        if target == Path(self.root.path):
            raise InvalidManifestPathError(rel=str(path), reason="escape_root")
        return target

    def _require_writable(self) -> None:
        if self._access == "read_only":
            why = "This sandbox is read_only: no archive is put into it"
            raise WorkspaceArchiveWriteError(path=Path(self.root.path), message=why)


def inner_of(session: BaseSandboxSession) -> AgenticSandboxSession:
    """Return what the SDK has wrapped; raise TypeError for the session of another sandbox."""
    inner = session
    if isinstance(session, SandboxSession):
        inner = session._inner  # noqa: SLF001 - as the SDK's own clients do
    if not isinstance(inner, AgenticSandboxSession):
        raise TypeError(f"{type(inner).__name__} is no session of this sandbox")
    return inner
