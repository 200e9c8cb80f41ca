"""Agents of the OpenAI Agents SDK at work on a workspace, through both services as processes."""

import asyncio
import base64
import io
import json

import pytest
from agents import RunConfig, Runner, UserError
from agents.sandbox import (
    Manifest,
    SandboxAgent,
    SandboxRunConfig,
    WorkspaceArchiveWriteError,
)
from agents.sandbox.capabilities import Capabilities, Memory, Skill, Skills
from agents.sandbox.snapshot import NoopSnapshotSpec

from agentic.harnesses.openai_agents import (
    AgenticSandboxClient,
    AgenticSandboxClientOptions,
    WorkspaceTools,
    default_capabilities,
)
from common.approvals.rules import Rule
from tests.system.harnesses.openai_agents.model import ScriptedModel, calls, patches, says
from tests.system.harnesses.openai_agents.working import content_of, run_on, tar_of

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)
"""An image of one point."""


async def test_agent_reads_and_edits_a_workspace(client, sandboxes, name):
    """The whole way: a model of theirs looks, changes, and a client of ours finds the change."""
    session = await client.create_session(name)
    await client.files.write(session.id, "src/a.py", b"x = 1\ny = 2\n")
    model = ScriptedModel(
        calls("list_directory", path="/workspace", depth=2),
        calls("read_file", path="src/a.py"),
        patches("*** Update File: src/a.py", "@@", "-x = 1", "+x = 3", " y = 2"),
        patches("*** Add File: docs/b.md", "+new"),
        patches("*** Update File: src/a.py", "*** Move to: src/c.py", "@@", " x = 3", "-y = 2"),
        says("done"),
    )
    result = await run_on(model, sandboxes, options=AgenticSandboxClientOptions(workspace=name))
    assert result.final_output == "done"
    listed, read, *patched = model.outputs()
    assert "src/a.py" in listed
    assert "y = 2" in read
    assert patched == [
        "Updated src/a.py",
        "Created docs/b.md",
        "Updated src/a.py\nMoved src/a.py to src/c.py",
    ]
    assert await content_of(client, name, "src/c.py") == b"x = 3\n"
    assert await content_of(client, name, "docs/b.md") == b"new"
    assert (await client.files.list(session.id, "src")).entries[0].path == "src/c.py"
    assert "exec_command" not in model.tools
    assert "There is no shell" in model.instructions


async def test_denied_paths_stay_as_they_are_and_the_model_is_told(client, sandboxes, name):
    """The user's rules hold for an agent of theirs: for what it reads, writes, patches and removes."""
    session = await client.create_session(name)
    await client.files.write(session.id, "secret/key", b"old\n")
    await client.replace_rules([Rule(effect="deny", path="secret/**")])
    model = ScriptedModel(
        calls("read_file", path="secret/key"),
        patches("*** Update File: secret/key", "@@", "-old", "+new"),
        patches("*** Delete File: secret/key"),
        patches("*** Add File: secret/other", "+new"),
        says("cannot"),
    )
    try:
        await run_on(model, sandboxes, options=AgenticSandboxClientOptions(workspace=name))
    finally:
        await client.replace_rules([])
    assert len(model.outputs()) == 4
    for output in model.outputs():
        assert "denied_by_rule" in output
    assert await content_of(client, name, "secret/key") == b"old\n"


async def test_read_only_sandbox_changes_nothing(client, name):
    """`access` is the program's word, whatever the model tries."""
    session = await client.create_session(name)
    await client.files.write(session.id, "a.txt", b"old\n")
    sandboxes = AgenticSandboxClient(client, access="read_only")
    model = ScriptedModel(
        patches("*** Update File: a.txt", "@@", "-old", "+new"),
        patches("*** Add File: b.txt", "+new"),
        says("cannot"),
    )
    await run_on(model, sandboxes, options=AgenticSandboxClientOptions(workspace=name))
    assert ["may only read" in output for output in model.outputs()] == [True, True]
    listed = await client.files.list(session.id)
    assert [entry.path for entry in listed.entries] == ["a.txt"]
    assert await content_of(client, name, "a.txt") == b"old\n"
    async with await sandboxes.create(options=AgenticSandboxClientOptions(workspace=name)) as box:
        with pytest.raises(WorkspaceArchiveWriteError, match="read_only"):
            await box.hydrate_workspace(io.BytesIO(tar_of(("a.txt", b"new"))))


async def test_what_a_person_rejects_is_told_to_the_model(client, name):
    """Approvals hold: a patch waits for a person, and is made or not as they say."""
    session = await client.create_session(name)
    await client.files.write(session.id, "a.txt", b"old\n")
    sandboxes = AgenticSandboxClient(client, approval="writes")
    model = ScriptedModel(patches("*** Update File: a.txt", "@@", "-old", "+new"), says("ok"))
    options = AgenticSandboxClientOptions(workspace=name)
    working = asyncio.create_task(run_on(model, sandboxes, options=options))
    run = await _waiting(client, name)
    plan = await client.plan(run.session_id, run.id)
    await client.reject(run.session_id, run.id, plan_revision=plan.plan_revision, reason="keep it")
    await working
    assert ["rejected" in output and "keep it" in output for output in model.outputs()] == [True]
    assert await content_of(client, name, "a.txt") == b"old\n"


async def _waiting(client, workspace):
    """Return the run on a workspace that asks a person, once there is one."""
    async with asyncio.timeout(30):
        while True:
            for session in (await client.sessions()).items:
                if session.workspace != workspace:
                    continue
                for run in (await client.runs(session.id)).items:
                    if run.status == "awaiting_approval":
                        return run
            await asyncio.sleep(0.05)


async def test_skills_and_working_directories_need_no_shell(client, sandboxes, name):
    """Capabilities of theirs that only need files work as they are."""
    session = await client.create_session(name)
    await client.files.write(session.id, "part/a.txt", b"old\n")
    model = ScriptedModel(
        calls("read_file", path="/workspace/.agents/greet/SKILL.md"),
        patches("*** Update File: a.txt", "@@", "-old", "+new"),
        says("done"),
    )
    skill = Skill(name="greet", description="How to greet.", content="Say hello.")
    agent = SandboxAgent(
        "worker",
        model=model,
        default_manifest=Manifest(),
        capabilities=[*default_capabilities(), Skills(skills=[skill])],
    )
    sandbox = SandboxRunConfig(
        client=sandboxes,
        options=AgenticSandboxClientOptions(workspace=name),
        snapshot=NoopSnapshotSpec(),
        cwd="part",
    )
    await Runner.run(agent, "Do it.", run_config=RunConfig(sandbox=sandbox))
    assert "Say hello." in model.outputs()[0]
    assert "How to greet." in model.instructions
    assert await content_of(client, name, "part/a.txt") == b"new\n"


async def test_image_of_the_workspace_is_seen(client, sandboxes, name):
    """By the SDK's own tool, which reads bytes."""
    session = await client.create_session(name)
    await client.files.write(session.id, "dot.png", PIXEL)
    model = ScriptedModel(calls("view_image", path="dot.png"), says("seen"))
    await run_on(model, sandboxes, options=AgenticSandboxClientOptions(workspace=name))
    assert base64.b64encode(PIXEL).decode() in json.dumps(model.outputs())


async def test_memory_is_refused_by_the_sdk_itself(client, sandboxes):
    """It is read by a shell: who asks for it is told before the model is."""
    agent = SandboxAgent("worker", model=ScriptedModel(), capabilities=[WorkspaceTools(), Memory()])
    sandbox = SandboxRunConfig(client=sandboxes, snapshot=NoopSnapshotSpec())
    with pytest.raises(UserError, match="Memory requires missing capabilities"):
        await Runner.run(agent, "Do it.", run_config=RunConfig(sandbox=sandbox))


async def test_shell_is_refused_in_words_that_name_the_way_out(client, sandboxes, name):
    """An agent that is given the SDK's defaults, the shell among them, is not left guessing."""
    model = ScriptedModel(calls("exec_command", cmd="ls"), says("no"))
    agent = SandboxAgent("worker", model=model, capabilities=Capabilities.default())
    sandbox = SandboxRunConfig(client=sandboxes, snapshot=NoopSnapshotSpec())
    with pytest.raises(UserError, match=r"no shell in this sandbox.*default_capabilities"):
        await Runner.run(agent, "Do it.", run_config=RunConfig(sandbox=sandbox))
