"""What tests of sandboxes share: a run of an agent, a look at a workspace, a tar."""

import io
import json
import tarfile

from agents import RunConfig, Runner
from agents.sandbox import SandboxAgent, SandboxRunConfig
from agents.sandbox.snapshot import NoopSnapshotSpec

from agentic.harnesses.openai_agents import default_capabilities


async def run_on(model, sandboxes, task="Do it.", **config):
    """Have an agent with the default capabilities do a task in a sandbox; return its result."""
    agent = SandboxAgent("worker", model=model, capabilities=default_capabilities())
    sandbox = SandboxRunConfig(client=sandboxes, **{"snapshot": NoopSnapshotSpec(), **config})
    return await Runner.run(agent, task, run_config=RunConfig(sandbox=sandbox))


async def content_of(client, workspace, path):
    """Return what a file has in it, as another client sees it."""
    session = await client.create_session(workspace)
    async with client.files.read(session.id, path) as download:
        return b"".join([piece async for piece in download.pieces()])


def state_of(sandboxes, kept):
    """Return a session's state from the JSON that was kept of it."""
    return sandboxes.deserialize_session_state(json.loads(kept))


def tar_of(*files):
    """Return a tar of files by name and content; None: a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc"
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()
