"""Sandboxes of the OpenAI Agents SDK: what is made in them, and that they are found again."""

import io
import json
from pathlib import Path

import pytest
from agents.sandbox import (
    ExecTransportError,
    Manifest,
    Permissions,
    SandboxPathGrant,
    User,
    WorkspaceArchiveReadError,
    WorkspaceArchiveWriteError,
)
from agents.sandbox.entries import Dir, File, GitRepo, LocalDir

from agentic.harnesses.openai_agents import (
    AgenticSandboxClientOptions,
)
from tests.system.harnesses.openai_agents.working import state_of, tar_of


async def test_manifest_is_made_and_a_fresh_workspace_goes_with_its_sandbox(client, sandboxes):
    """As the SDK's own sandboxes do: what was made for a run is gone after it."""
    manifest = Manifest(entries={"in": Dir(children={"a.txt": File(content=b"one\xff")})})
    made = await sandboxes.create(manifest=manifest)
    workspace = made.state.workspace
    async with made:
        assert await made.running()
        assert (await made.read(Path("in/a.txt"))).read() == b"one\xff"
        assert workspace in [one.name for one in (await client.workspaces.list()).items]
    await sandboxes.delete(made)
    assert not await made.running()
    assert workspace not in [one.name for one in (await client.workspaces.list()).items]


async def test_local_directory_is_sent_and_no_grant_leads_outside(client, sandboxes, tmp_path):
    """The SDK reads it here, where it is allowed to; in the sandbox there is but the workspace."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_bytes(b"one")
    manifest = Manifest(
        entries={"in": LocalDir(src=tmp_path)},
        extra_path_grants=(SandboxPathGrant(path=str(tmp_path)),),
    )
    made = await sandboxes.create(manifest=manifest)
    async with made:
        assert (await made.read(Path("in/d/a.txt"))).read() == b"one"
        with pytest.raises(WorkspaceArchiveReadError, match="not in the workspace"):
            await made.read(tmp_path / "d" / "a.txt")
        with pytest.raises(WorkspaceArchiveWriteError, match="not in the workspace"):
            await made.write(tmp_path / "b.txt", io.BytesIO(b"two"))
        with pytest.raises(WorkspaceArchiveReadError, match="not in the workspace"):
            await made.mkdir(tmp_path / "new", parents=True)
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
    await sandboxes.delete(made)


async def test_manifest_that_needs_a_shell_does_not_start(client, sandboxes):
    """Users, groups and modes are nothing that a workspace has."""
    manifests = [
        Manifest(users=[User(name="someone")]),
        Manifest(entries={"a": File(content=b"", permissions=Permissions(owner=4))}),
        Manifest(entries={"a": GitRepo(repo="owner/name", ref="main")}),
    ]
    for manifest in manifests:
        made = await sandboxes.create(manifest=manifest)
        with pytest.raises(ExecTransportError, match="no shell"):
            await made.start()
        await sandboxes.delete(made)


async def test_resumed_session_finds_the_same_workspace(client, sandboxes, name):
    """Also where the session has gone meanwhile, which ages: the workspace is what counts."""
    manifest = Manifest(entries={"a.txt": File(content=b"as made")})
    options = AgenticSandboxClientOptions(workspace=name)
    async with await sandboxes.create(manifest=manifest, options=options) as first:
        await first.write(Path("a.txt"), io.BytesIO(b"as left"))
        kept = json.dumps(sandboxes.serialize_session_state(first.state))
    async with await sandboxes.resume(state_of(sandboxes, kept)) as second:
        assert second.state.agentic_session == first.state.agentic_session
        assert (await second.read(Path("a.txt"))).read() == b"as left"
    await sandboxes.delete(second)
    async with await sandboxes.resume(state_of(sandboxes, kept)) as third:
        assert third.state.agentic_session != first.state.agentic_session
        assert (await third.read(Path("a.txt"))).read() == b"as left"


async def test_archive_in_the_workspace_is_unpacked_by_calls(client, sandboxes):
    """The SDK's `extract` needs no commands: directories and files are made under the rules."""
    made = await sandboxes.create()
    async with made:
        await made.extract(
            "in/files.tar", io.BytesIO(tar_of(("d/a.txt", b"one"), ("b.txt", b"two")))
        )
        assert (await made.read(Path("in/d/a.txt"))).read() == b"one"
        found = [entry.path.removeprefix("/workspace/in/") for entry in await made.ls("in")]
        assert found == ["b.txt", "d", "files.tar"]
    await sandboxes.delete(made)


async def test_large_file_goes_both_ways(client, sandboxes):
    """Whole files, whatever a call can take along."""
    content = bytes(range(256)) * 12_000
    made = await sandboxes.create()
    async with made:
        await made.write(Path("large"), io.BytesIO(content))
        assert (await made.read(Path("large"))).read() == content
        assert await made.read_bounded(Path("large"), max_bytes=3) == content[:3]
    await sandboxes.delete(made)
