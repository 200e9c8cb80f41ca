"""Snapshots of the OpenAI Agents SDK: workspaces that are kept, and put back."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from agents.sandbox import (
    LocalSnapshotSpec,
    Manifest,
    WorkspaceArchiveWriteError,
)
from agents.sandbox.entries import Dir, File

from agentic.harnesses.openai_agents import (
    AgenticSandboxClientOptions,
)
from tests.system.harnesses.openai_agents.working import state_of, tar_of


async def test_workspace_that_is_gone_is_made_from_its_snapshot(client, sandboxes, tmp_path):
    """What an agent has left is there again, but for links, empty directories and what was added since."""
    spec = LocalSnapshotSpec(base_path=tmp_path)
    made = await sandboxes.create(snapshot=spec)
    async with made:
        await made.write(Path("src/a b.txt"), io.BytesIO(b"one"))
        await made.write(Path("same.txt"), io.BytesIO(b"one"))
        await made.write(Path("empty"), io.BytesIO(b""))
    kept = json.dumps(sandboxes.serialize_session_state(made.state))
    await sandboxes.delete(made)
    async with await sandboxes.resume(state_of(sandboxes, kept)) as again:
        assert (await again.read(Path("src/a b.txt"))).read() == b"one"
        found = sorted(entry.path for entry in await again.ls("."))
    assert found == ["/workspace/empty", "/workspace/same.txt", "/workspace/src"]
    await sandboxes.delete(again)


async def test_snapshot_is_put_back_only_where_files_differ_from_it(
    client, sandboxes, name, tmp_path
):
    """A resume that finds all as it was writes nothing; one that does not brings it back."""
    made = await sandboxes.create(
        snapshot=LocalSnapshotSpec(base_path=tmp_path),
        options=AgenticSandboxClientOptions(workspace=name),
    )
    async with made:
        await made.write(Path("a.txt"), io.BytesIO(b"kept"))
    kept = json.dumps(sandboxes.serialize_session_state(made.state))
    session = made.state.agentic_session
    before = await client.files.info(session, "a.txt")
    async with await sandboxes.resume(state_of(sandboxes, kept)):
        assert (await client.files.info(session, "a.txt")).etag == before.etag
    await client.files.write(session, "a.txt", b"other")
    await client.files.write(session, "b.txt", b"more")
    async with await sandboxes.resume(state_of(sandboxes, kept)) as again:
        assert (await again.read(Path("a.txt"))).read() == b"kept"
        assert [entry.path for entry in await again.ls(".")] == ["/workspace/a.txt"]


async def test_snapshot_that_cannot_be_put_back_leaves_all_as_it_is(client, sandboxes, tmp_path):
    """Putting back is one change: what the service refuses clears nothing."""
    made = await sandboxes.create(snapshot=LocalSnapshotSpec(base_path=tmp_path))
    async with made:
        await made.write(Path("a.txt"), io.BytesIO(b"kept"))
    await made.write(Path("a.txt"), io.BytesIO(b"since"))
    snapshot = tmp_path / f"{made.state.session_id}.tar"
    snapshot.write_bytes(tar_of(("b.txt", b"new"), ("../c.txt", b"outside")))
    with pytest.raises(WorkspaceArchiveWriteError, match="path_not_allowed"):
        await (await sandboxes.resume(made.state)).start()
    snapshot.write_bytes(tar_of(("b.txt", b"new"), ("b.txt/c.txt", b"in a file")))
    with pytest.raises(WorkspaceArchiveWriteError, match="invalid_archive"):
        await (await sandboxes.resume(made.state)).start()
    assert [entry.path for entry in await made.ls(".")] == ["/workspace/a.txt"]
    assert (await made.read(Path("a.txt"))).read() == b"since"
    await sandboxes.delete(made)


async def test_snapshot_of_nothing_is_put_back(client, sandboxes, tmp_path):
    """An agent that has changed nothing has a workspace all the same."""
    made = await sandboxes.create(snapshot=LocalSnapshotSpec(base_path=tmp_path))
    async with made:
        pass
    async with await sandboxes.resume(made.state) as again:
        assert await again.ls(".") == []
    await sandboxes.delete(again)


async def test_ephemeral_entries_are_in_no_snapshot(client, sandboxes, tmp_path):
    """As the SDK has it: they are made anew with each start, and are no difference either."""
    manifest = Manifest(entries={"tmp": Dir(children={"a": File(content=b"x")}, ephemeral=True)})
    made = await sandboxes.create(manifest=manifest, snapshot=LocalSnapshotSpec(base_path=tmp_path))
    async with made:
        await made.write(Path("kept"), io.BytesIO(b"y"))
        await made.write(Path("tmp/a"), io.BytesIO(b"z"))
        with await made.persist_workspace() as tar, tarfile.open(fileobj=tar) as members:
            assert members.getnames() == ["kept"]
    fingerprint = made.state.snapshot_fingerprint
    async with await sandboxes.resume(made.state) as again:
        assert (await again.read(Path("tmp/a"))).read() == b"x"
    assert again.state.snapshot_fingerprint == fingerprint
    assert fingerprint is not None
    await sandboxes.delete(again)


async def test_archive_with_a_link_leaves_the_workspace_alone(client, sandboxes, tmp_path):
    """It is refused as a whole, and nothing is cleared for it."""
    made = await sandboxes.create(snapshot=LocalSnapshotSpec(base_path=tmp_path))
    async with made:
        await made.write(Path("a.txt"), io.BytesIO(b"kept"))
        with pytest.raises(WorkspaceArchiveWriteError, match="links"):
            await made.hydrate_workspace(io.BytesIO(tar_of(("b.txt", b"x"), ("to", None))))
        assert [entry.path for entry in await made.ls(".")] == ["/workspace/a.txt"]
    (tmp_path / f"{made.state.session_id}.tar").write_bytes(tar_of(("to", None)))
    await made.write(Path("b.txt"), io.BytesIO(b"since"))
    with pytest.raises(WorkspaceArchiveWriteError, match="links"):
        await (await sandboxes.resume(made.state)).start()
    assert len(await made.ls(".")) == 2
    await sandboxes.delete(made)
